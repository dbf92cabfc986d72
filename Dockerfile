# The same set-up as on a bare machine, in a container:
#
#   docker build -t picochat .
#   docker run --rm -it -v "$PWD/runs:/picochat/runs" picochat scripts/quickstart
#
# With GPUs, build on a CUDA 13 image that has nvcc and run with --gpus all:
#
#   docker build -t picochat --build-arg BASE=nvidia/cuda:13.0.1-cudnn-devel-ubuntu24.04 .
ARG BASE=debian:12
FROM ${BASE}
WORKDIR /picochat

# Packages and LibTorch change seldom: they are a layer of their own.
COPY scripts scripts
RUN scripts/setup && rm -rf /var/lib/apt/lists/* /root/.cache/picochat/*.whl

COPY . .
RUN scripts/quickstart --build-only
ENV PATH=/picochat/build/release/bin:$PATH
CMD ["scripts/quickstart"]
