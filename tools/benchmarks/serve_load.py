#!/usr/bin/env python3
"""Many clients at once against `picochat serve`: throughput beside one client at a time, fairness, memory, errors.

  serve_load.py PICOCHAT RUN [--clients 32] [--seconds 300] [--alone-seconds 20] [--max-tokens 64] [--port 8199]

Starts the server itself. First one client, then all of them, then one again; half of the clients stream. Every client asks for as many tokens, with prompts of
its own and of different lengths. Prints tokens a second of both, their ratio, requests of the busiest and the idlest client, resident memory of the
server through the run, and every answer that was not a 200. Needs nothing but Python.
"""
import argparse
import collections
import http.client
import json
import pathlib
import random
import subprocess
import sys
import threading
import time

WORDS = "river letter market bridge door open old garden seven twelve wind paper stone carry evening clock".split()


class Client(threading.Thread):
    def __init__(self, number, port, until, max_tokens, stream):
        super().__init__(daemon=True)
        self.number, self.port, self.until, self.max_tokens = number, port, until, max_tokens
        self.random = random.Random(number)
        self.stream = stream == "all" or (stream == "half" and number % 2 == 1)
        self.requests = self.tokens = 0
        self.failures = collections.Counter()
        self.seconds = []

    def ask(self, connection, stream):
        prompt = " ".join(self.random.choice(WORDS) for _ in range(self.random.randrange(1, 60)))
        body = {"model": "picochat", "prompt": prompt, "max_tokens": self.max_tokens, "temperature": 0.8, "seed": self.random.randrange(1 << 30), "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            self.failures[answer.status] += 1
            return 0
        if not stream:
            return json.loads(text)["usage"]["completion_tokens"]
        events = [line[6:] for line in text.decode().splitlines() if line.startswith("data: ")]
        if events[-1] != "[DONE]":
            self.failures["cut stream"] += 1
            return 0
        return json.loads(events[-2])["usage"]["completion_tokens"]

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        while time.monotonic() < self.until:
            begun = time.monotonic()
            try:
                self.tokens += self.ask(connection, self.stream)
                self.requests += 1
                self.seconds.append(time.monotonic() - begun)
            except (OSError, http.client.HTTPException) as error:
                self.failures[type(error).__name__] += 1
                connection.close()


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def load(pid, port, clients, seconds, max_tokens, stream):
    begun = time.monotonic()
    threads = [Client(number, port, begun + seconds, max_tokens, stream) for number in range(clients)]
    for thread in threads:
        thread.start()
    memory = []
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(5, seconds / 4))
        memory.append(resident_kib(pid))
    elapsed = time.monotonic() - begun
    failures = collections.Counter()
    for thread in threads:
        failures.update(thread.failures)
    times = sorted(t for thread in threads for t in thread.seconds)
    return {
        "rate": sum(thread.tokens for thread in threads) / elapsed,
        "requests": [thread.requests for thread in threads],
        "failures": dict(failures),
        "memory": memory,
        "median": times[len(times) // 2],
        "p99": times[len(times) * 99 // 100],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picochat")
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--alone-seconds", type=float, default=20)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--port", type=int, default=8199)
    parser.add_argument("--threads", type=int, default=0, help="compute threads of the server; 0: one per core")
    parser.add_argument("--stream", choices=["all", "half", "none"], default="half", help="which clients stream")
    args = parser.parse_args()
    server = subprocess.Popen([args.picochat, "serve", args.run, "--port", str(args.port), "--threads", str(args.threads)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                http.client.HTTPConnection("127.0.0.1", args.port, timeout=1).request("GET", "/healthz")
                break
            except OSError:
                time.sleep(0.1)
        load(server.pid, args.port, 1, 3, args.max_tokens, args.stream)
        alone = load(server.pid, args.port, 1, args.alone_seconds, args.max_tokens, args.stream)
        many = load(server.pid, args.port, args.clients, args.seconds, args.max_tokens, args.stream)
        again = load(server.pid, args.port, 1, args.alone_seconds, args.max_tokens, args.stream)
    finally:
        server.terminate()
        server.wait()
    one = (alone["rate"] + again["rate"]) / 2
    settled = many["memory"][len(many["memory"]) // 4 :]
    print(f"one client: {alone['rate']:.0f} and {again['rate']:.0f} tokens/s, before and after")
    print(f"{args.clients} clients, {args.seconds:.0f} s: {many['rate']:.0f} tokens/s, {many['rate'] / one:.1f} times one client; {sum(many['requests'])} requests")
    print(f"requests of a client: {min(many['requests'])} to {max(many['requests'])}; a request takes {many['median']:.2f} s (median), {many['p99']:.2f} s (99 of 100)")
    print(f"resident memory after a quarter of the time and at the end: {settled[0] / 1024:.1f} and {settled[-1] / 1024:.1f} MiB, at most {max(settled) / 1024:.1f}")
    failures = {name: count for part in (alone, many, again) for name, count in part["failures"].items()}
    print(f"answers other than 200: {failures or 'none'}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
