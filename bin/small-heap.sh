#!/bin/sh
# Runs Node with a heap that grows slowly: the service is small, and the memory is for the games. The flags must be set when
# Node starts, and NODE_OPTIONS does not accept all of them. So this file has them, for npm, the image and the benchmark.
exec node --max-semi-space-size=8 --heap-growing-percent=20 "$@"
