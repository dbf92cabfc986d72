#!/usr/bin/env python3
"""Plants eval questions into a corpus of real text, and judges what `picochat data honesty` found of them.

It shares nothing with the program: its own questions, its own edits, a seed drawn at run time.

    plant_leaks.py plant --text TEXT.jsonl|FOLDER --out DIR [--benchmark NAME=PATH ...] [--gigabytes 4] [--leaks 300] [--seed N]
    picochat data honesty --corpus DIR/corpus --eval-input DIR/eval.jsonl --out-dir DIR/report
    plant_leaks.py judge --out DIR [--report DIR/report/honesty_report.json]

`plant` repeats the text with its paragraphs rotated until the size is reached, writes corpus/shard-*.jsonl, eval.jsonl and
truth.json. `judge` exits with 1 when an exact leak was missed, less than 95% of the near ones were found, or more than
one clean row in a thousand was accused.
"""
import argparse
import csv
import difflib
import json
import os
import random
import sys
import unicodedata
from pathlib import Path

ENGLISH = """Why do the leaves of many trees turn red and yellow before they fall in autumn?
A train leaves the station at noon and travels sixty miles in one hour. How far does it go in three hours?
Which part of the human eye changes its size when a person walks from a dark room into bright sunlight?
What would most likely happen to a population of rabbits if all of the foxes in a valley were removed?
In which direction does a compass needle point when no magnet or piece of iron is near it?
Explain in one sentence how a glass of cold water becomes wet on the outside on a warm and humid day.
A student adds salt to a cup of hot water and stirs until it disappears. What has the student made?
Who wrote the letter that convinced the council to rebuild the old harbor after the great fire?
If five workers need twelve days to paint a long bridge, how many days do ten workers need for the same bridge?
Which of these materials would be the best choice for the handle of a cooking pan, and why?
What is the name of the process by which plants use sunlight to make their own food from air and water?
How does the moon affect the height of the water along the coast during a single day?
Name the layer of the atmosphere in which nearly all of the weather that people notice takes place.
A recipe calls for two cups of flour for every three eggs. How many eggs go with eight cups of flour?
What evidence would show that two kinds of birds are descended from one common ancestor?
Why can a heavy ship made of steel float on the sea while a small steel ball sinks at once?
Which organ in the body of a fish does the same work as the lungs in the body of a dog?
Describe what happens to the particles of a solid when it is heated until it melts into a liquid.
During which phase of the moon can an eclipse of the sun be seen from the surface of the earth?
How would a farmer best protect the soil of a steep field from being washed away by heavy rain?
The committee met on Tuesday and again nine days later. On which day of the week was the second meeting?
What kind of energy is stored in a stretched rubber band before somebody lets it go?
A puppy weighs four pounds at birth and gains two pounds every week. How much does it weigh after six weeks?
Which invention made it possible to print many copies of the same book quickly and cheaply?
What do we call a word that sounds the same as another word but has a different meaning?
Why is it harder to breathe at the top of a very high mountain than on the beach?
Two mirrors stand at a right angle to each other. How many images of a candle between them can be seen?
Which gas do divers have to be careful about when they come up too quickly from deep water?""".split("\n")

FOREIGN = """Welcher Planet unseres Sonnensystems dreht sich beinahe auf der Seite liegend um die Sonne?
Warum schwimmt ein großes Schiff aus Stahl auf dem Wasser, während eine kleine Stahlkugel sofort untergeht?
Wie heißt die längste Straße, die über die verschneiten Alpen bis nach Süden führt?
Quelle planète du système solaire tourne presque couchée sur le côté autour du Soleil ?
Pourquoi l'air est-il plus difficile à respirer au sommet d'une très haute montagne qu'à la plage ?
Comment s'appelle le procédé par lequel les plantes fabriquent leur nourriture grâce à la lumière ?
¿Qué órgano del cuerpo de un pez hace el mismo trabajo que los pulmones de un perro?
¿Cuántos días necesitan diez obreros para pintar el puente que cinco obreros pintan en doce días?
¿Por qué las hojas de muchos árboles se vuelven rojas y amarillas antes de caer en otoño?
Какая планета Солнечной системы вращается вокруг Солнца, почти лёжа на боку?
Почему тяжёлый стальной корабль держится на воде, а маленький стальной шарик сразу тонет?
Как называется процесс, при котором растения создают пищу из света, воды и воздуха?
Która planeta Układu Słonecznego obraca się wokół Słońca, leżąc niemal na boku?
Dlaczego trudniej oddychać na szczycie bardzo wysokiej góry niż na plaży nad morzem?
Güneş sistemindeki hangi gezegen neredeyse yan yatmış olarak Güneş'in çevresinde döner?
Birçok ağacın yaprakları sonbaharda dökülmeden önce neden kırmızı ve sarı renge döner?
Ποιος πλανήτης του ηλιακού συστήματος περιστρέφεται σχεδόν ξαπλωμένος στο πλάι του;
Γιατί είναι πιο δύσκολο να αναπνεύσει κανείς στην κορυφή ενός πολύ ψηλού βουνού;
أي كوكب في المجموعة الشمسية يدور حول الشمس وهو مستلق على جانبه تقريبا؟
لماذا تطفو السفينة الكبيرة المصنوعة من الفولاذ على سطح البحر بينما تغرق الكرة الصغيرة؟
איזה כוכב לכת במערכת השמש מסתובב סביב השמש כשהוא כמעט שוכב על צידו?
सौर मंडल का कौन सा ग्रह लगभग अपनी करवट पर लेटकर सूर्य की परिक्रमा करता है?
पतझड़ में गिरने से पहले बहुत से पेड़ों के पत्ते लाल और पीले क्यों हो जाते हैं?
ดาวเคราะห์ดวงใดในระบบสุริยะที่หมุนรอบดวงอาทิตย์โดยเอียงตัวเกือบนอนตะแคง
ทำไมการหายใจบนยอดเขาสูงมากจึงยากกว่าการหายใจที่ชายหาดริมทะเล
太阳系中的哪一颗行星几乎是躺着绕太阳公转的，请说出它的名字。
为什么巨大的钢铁轮船能够浮在海面上，而一个小小的钢球却会立刻沉下去？
植物利用阳光把空气和水变成自己的食物，这个过程叫做什么名字？
太陽系の惑星のうち、ほとんど横倒しになって太陽の周りを回っているのはどれですか。
とても高い山の頂上では、海辺よりも息をするのがなぜ難しいのですか。
植物が光と水と空気から自分の養分をつくるはたらきを何といいますか。
태양계에서 거의 옆으로 누운 채로 태양의 둘레를 도는 행성은 무엇입니까?
아주 높은 산의 꼭대기에서는 왜 바닷가에서보다 숨을 쉬기가 더 어렵습니까?
Hành tinh nào trong hệ Mặt Trời quay quanh Mặt Trời gần như nằm nghiêng về một bên?
Tại sao hít thở trên đỉnh một ngọn núi rất cao lại khó hơn ở bãi biển?
Яка планета Сонячної системи обертається навколо Сонця майже лежачи на боці?
Vilken planet i solsystemet snurrar nästan liggande på sidan runt solen, och varför?
Welke planeet van ons zonnestelsel draait bijna liggend op zijn zij om de zon heen?""".split("\n")

OTHER_WORDS = "marzipan umbrella quickly blue seventeenth beneath lantern wandered sparrow therefore copper".split()


# Edits. Each takes (question, random) and returns the text to plant.

def exact(q, r):
    return q


def recased(q, r):
    way = r.randrange(4)
    if way == 0:
        return q.upper()
    if way == 1:
        return q.lower()
    if way == 2:
        return q.title() if "'" not in q else q.lower()
    return "".join(c.upper() if r.random() < 0.5 else c.lower() for c in q)


def respaced(q, r):
    gaps = ["  ", "\t", "\u00a0", " \n", "   ", "\u2003", "\u3000"]
    return "".join(r.choice(gaps) if c == " " and r.random() < 0.6 else c for c in q)


def retyped(q, r):
    """Typographic marks, decomposed accents, wide letters, ligatures."""
    q = q.replace("'", "\u2019").replace('"', "\u201d")
    way = r.randrange(3)
    if way == 0:
        return unicodedata.normalize("NFD", q)
    if way == 1:
        return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in q)
    return q.replace("fi", "\ufb01").replace("fl", "\ufb02").replace("ff", "\ufb00")


def split_over_lines(q, r):
    words, lines, line = q.split(" "), [], ""
    width = r.randrange(18, 50)
    for word in words:
        if line and len(line) + len(word) > width:
            lines.append(line)
            line = ""
        if len(word) > 8 and word.isalpha() and word.islower() and r.random() < 0.3:
            at = r.randrange(3, len(word) - 3)
            lines.append((line + " " + word[:at]).strip() + "-")
            line = word[at:]
        else:
            line = (line + " " + word).strip()
    indent = r.choice(["", "  ", "> "])
    return ("\n" + indent).join(lines + [line])


def one_word_changed(q, r):
    words = q.split(" ")
    places = [i for i, w in enumerate(words) if not any(c.isdigit() for c in w) and not any(c in "=+*/<>^-" for c in w)]
    words[r.choice(places)] = r.choice(OTHER_WORDS)
    return " ".join(words)


def one_word_left_out(q, r):
    words = q.split(" ")
    places = [i for i, w in enumerate(words) if not any(c.isdigit() for c in w) and not any(c in "=+*/<>^-" for c in w)]
    del words[r.choice(places)]
    return " ".join(words)


def one_word_put_in(q, r):
    words = q.split(" ")
    words.insert(r.randrange(1, len(words)), r.choice(OTHER_WORDS))
    return " ".join(words)


def one_letter_changed(q, r):
    """A typing error; in scripts without spaces this is one character."""
    places = [i for i, c in enumerate(q) if c.isalpha()]
    i = r.choice(places)
    other = r.choice([c for c in q if c.isalpha() and c != q[i]])
    return q[:i] + other + q[i + 1:]


EXACT = [exact, recased, respaced, retyped, split_over_lines]
NEAR = [one_word_changed, one_word_left_out, one_word_put_in]


def read_benchmark(path):
    """(question, choices, line) of ARC and MMLU files as they are distributed."""
    if path.suffix == ".csv":
        with open(path, newline="") as file:
            reader, out, line = csv.reader(file), [], 1
            for row in reader:
                out.append((row[0], row[1:5], line))
                line = reader.line_num + 1
            return out
    if path.suffix == ".parquet":
        import pyarrow.parquet
        rows = pyarrow.parquet.read_table(path).to_pylist()
    else:
        rows = [json.loads(line) for line in open(path)]
    return [(r["question"], r["choices"]["text"] if isinstance(r["choices"], dict) else r["choices"], i + 1) for i, r in enumerate(rows)]


def read_texts(path):
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix in (".md", ".txt") and file.is_file():
                yield file.read_text(errors="replace")
    elif path.suffix == ".parquet":
        import pyarrow.parquet
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pydict().get("text", [])
    else:
        with open(path) as file:
            for line in file:
                yield json.loads(line)["text"]


def spaced(question):
    return " " in question and len(question.split()) > len(question) / 15


def plant(arguments):
    seed = arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(6), "big")
    r = random.Random(seed)
    out = Path(arguments.out)
    (out / "corpus").mkdir(parents=True, exist_ok=False)

    rows, seen = [], set()
    def add(question, choices, source, line, kind):
        key = "".join(c for c in question.casefold() if c.isalnum())
        if len(question) >= (12 if not spaced(question) else 30) and key not in seen:
            seen.add(key)
            rows.append({"user": question, "choices": choices, "source": source, "source_line": line, "kind": kind})
    for question in ENGLISH:
        add(question, [], "own", 0, "english")
    for question in FOREIGN:
        add(question, [], "own", 0, "foreign")
    for named in arguments.benchmark:
        name, _, path = named.partition("=")
        for question, choices, line in read_benchmark(Path(path)):
            add(question, choices, name, line, "english")
    r.shuffle(rows)
    with open(out / "eval.jsonl", "w") as file:
        for row in rows:
            file.write(json.dumps({"user": row["user"], "must_include": ["ok"], "category": row["source"]}, ensure_ascii=False) + "\n")

    texts = [t for t in read_texts(Path(arguments.text)) if len(t) > 200]
    size = sum(len(t.encode()) for t in texts)
    copies = max(1, round(arguments.gigabytes * 1e9 / size))
    long_texts = [i for i, t in enumerate(texts) if len(t) > 30_000] or [max(range(len(texts)), key=lambda i: len(texts[i]))]

    # A third of the leaks is foreign as far as the list reaches.
    order = [i for i, row in enumerate(rows) if row["kind"] == "foreign"][: arguments.leaks // 3]
    order += [i for i, row in enumerate(rows) if row["kind"] != "foreign"][: arguments.leaks - len(order)]
    places, truth = {}, []
    for number, i in enumerate(order):
        row = rows[i]
        question = row["user"]
        near_fits = len(question.split()) >= 8 if spaced(question) else len(question) >= 12
        edit = r.choice(NEAR if near_fits and r.random() < 0.4 else EXACT)
        if not spaced(question) and edit in NEAR + [split_over_lines, respaced]:
            edit = one_letter_changed if edit in NEAR else exact
        text = edit(question, r)
        # A short question of a benchmark means something with its choices only.
        if row["choices"] and (len(question.split()) < 8 or r.random() < 0.3):
            text += "\n" + "\n".join(f"({chr(65 + k)}) {c}" for k, c in enumerate(row["choices"]))
            row["with_choices"] = True
        embedded = r.random() < 0.3
        document = r.choice(long_texts) if embedded else r.randrange(len(texts))
        copy = r.randrange(copies)
        while (copy, document) in places:
            document, copy = r.randrange(len(texts)), r.randrange(copies)
        places[copy, document] = text
        truth.append({"eval_line": i + 1, "edit": edit.__name__, "near": edit in NEAR + [one_letter_changed], "embedded": embedded, "foreign": row["kind"] == "foreign",
                      "source": row["source"], "source_line": row["source_line"], "document": f"d{copy}-{document}", "question": question, "planted": text})

    written, shard, file = 0, -1, None
    for copy in range(copies):
        for i, text in enumerate(texts):
            paragraphs = text.split("\n\n")
            turn = copy % len(paragraphs)
            paragraphs = paragraphs[turn:] + paragraphs[:turn]
            if (copy, i) in places:
                at = r.randrange(len(paragraphs) + 1)
                # Alone in its paragraph, or between other sentences.
                if r.random() < 0.5 or at == len(paragraphs):
                    paragraphs.insert(at, places[copy, i])
                else:
                    sentences = paragraphs[at].split(". ")
                    cut = r.randrange(len(sentences) + 1)
                    paragraphs[at] = ". ".join(sentences[:cut] + [places[copy, i]] + sentences[cut:])
            line = json.dumps({"id": f"d{copy}-{i}", "text": "\n\n".join(paragraphs)}, ensure_ascii=False) + "\n"
            if file is None or written > (shard + 1) * 250_000_000:
                shard += 1
                file = open(out / "corpus" / f"shard-{shard:06d}.jsonl", "w")
            file.write(line)
            written += len(line.encode())
    file.close()
    with open(out / "truth.json", "w") as file:
        json.dump({"seed": seed, "rows": len(rows), "documents": copies * len(texts), "bytes": written, "leaks": truth}, file, ensure_ascii=False, indent=1)
    print(f"planted {len(truth)} leaks of {len(rows)} rows in {copies * len(texts)} documents, {written} bytes, seed {seed}")


def share_found(question, text):
    """Share of the question's words that stand in the text in their order."""
    words = ["".join(c for c in w if c.isalnum()) for w in question.casefold().split()]
    others = ["".join(c for c in w if c.isalnum()) for w in text.casefold().split()]
    return sum(block.size for block in difflib.SequenceMatcher(None, words, others, False).get_matching_blocks()) / len(words)


def judge(arguments):
    out = Path(arguments.out)
    truth = json.load(open(out / "truth.json"))
    report = json.load(open(arguments.report or out / "report" / "honesty_report.json"))
    findings = [f for f in report["findings"] if f["kind"] == "eval_prompt_in_corpus"]
    found = {(f["eval_line"], f["document"]): f for f in findings}
    planted = {leak["eval_line"] for leak in truth["leaks"]}
    by_edit, missed, weak = {}, [], []
    for leak in truth["leaks"]:
        finding = found.get((leak["eval_line"], leak["document"]))
        count = by_edit.setdefault(leak["edit"] + (" (foreign)" if leak["foreign"] else ""), [0, 0])
        count[0] += finding is not None
        count[1] += 1
        if finding is None:
            missed.append(leak)
        elif not leak["near"] and finding["severity"] != "block":
            weak.append(leak)
    # Benchmarks repeat themselves: a clean row that a planted text nearly holds is found there with reason.
    rows = [json.loads(line)["user"] for line in open(out / "eval.jsonl")]
    planted_in = {leak["document"]: leak["planted"] for leak in truth["leaks"]}
    kin = {f["eval_line"] for f in findings if f["eval_line"] not in planted and f["document"] in planted_in
           and share_found(rows[f["eval_line"] - 1], planted_in[f["document"]]) >= 0.7}
    accused = sorted({f["eval_line"] for f in findings if f["document"] not in planted_in or f["eval_line"] not in kin} - planted)
    clean = truth["rows"] - len(planted) - len(kin)
    for edit, (hit, all_) in sorted(by_edit.items()):
        print(f"{edit:32} {hit:4} of {all_}")
    exact_ones = [leak for leak in truth["leaks"] if not leak["near"]]
    near_ones = [leak for leak in truth["leaks"] if leak["near"]]
    exact_found = len(exact_ones) - sum(not leak["near"] for leak in missed)
    near_found = len(near_ones) - sum(leak["near"] for leak in missed)
    print(f"exact leaks: {exact_found} of {len(exact_ones)} found, {len(weak)} of them not as a block")
    print(f"near leaks: {near_found} of {len(near_ones)} found")
    print(f"embedded in long documents: {sum(l['embedded'] for l in truth['leaks'] if l not in missed)} of {sum(l['embedded'] for l in truth['leaks'])}")
    print(f"false alarms: {len(accused)} of {clean} clean rows ({1000 * len(accused) / max(1, clean):.2f} per 1,000)")
    print(f"rows that a planted question nearly repeats: {len(kin)}, left out of the clean ones")
    for leak in missed[:20]:
        print("missed:", leak["edit"], leak["document"], json.dumps(leak["question"], ensure_ascii=False), "->", json.dumps(leak["planted"], ensure_ascii=False))
    for leak in weak[:20]:
        print("not a block:", leak["edit"], leak["document"], json.dumps(leak["planted"], ensure_ascii=False))
    for f in findings:
        if f["eval_line"] in accused:
            print("accused:", f["eval_line"], f["severity"], f["message"], f["document"], "|", f["snippet"][:160])
    ok = exact_found == len(exact_ones) and not weak and near_found >= 0.95 * len(near_ones) and len(accused) <= clean / 1000 + (clean < 1000)
    for external in report.get("external", []):
        lines = set(external["flagged_lines"])
        sown = [l for l in truth["leaks"] if l["source"] == external["name"]]
        hit = [l for l in sown if l["source_line"] in lines]
        others = lines - {l["source_line"] for l in sown}
        print(f"benchmark {external['name']}: {len(hit)} of {len(sown)} planted rows flagged, {len(others)} of {external['rows'] - len(sown)} others {sorted(others)[:20]}")
        for l in sown:
            if l not in hit:
                print("not flagged:", l["edit"], json.dumps(l["planted"], ensure_ascii=False))
        ok = ok and len(hit) >= 0.95 * len(sown)
    print("passed" if ok else "FAILED")
    return 0 if ok else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("plant")
    p.add_argument("--text", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--benchmark", action="append", default=[])
    p.add_argument("--gigabytes", type=float, default=4)
    p.add_argument("--leaks", type=int, default=300)
    p.add_argument("--seed", type=int)
    j = commands.add_parser("judge")
    j.add_argument("--out", required=True)
    j.add_argument("--report")
    arguments = parser.parse_args()
    return plant(arguments) if arguments.command == "plant" else judge(arguments)


if __name__ == "__main__":
    sys.exit(main())
