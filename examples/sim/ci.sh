#!/bin/sh
# What CI runs: the suite on simulated devices, its report and its results for the CI's own page of tests.
set -eu
cd "$(dirname "$0")"
farm devices list --inventory "$FARM_SIM_INVENTORY"
farm bench --inventory "$FARM_SIM_INVENTORY" --suite suite.yaml --devices '!server' --run-id ci
farm export ci --format junit --output junit.xml
