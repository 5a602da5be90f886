#!/bin/sh
# Drives the core from Swift where a toolchain is, and builds the app for the simulator where Xcode and the runtime are.
# Where they are not, it says what was not checked; docs/limits.md lists it.
set -eu
cd "$(dirname "$0")/.."

if command -v swift >/dev/null 2>&1; then
    swift run --package-path tests/swift
else
    echo "no Swift toolchain here: the app's Swift was parsed, not type-checked, and the core not driven from it"
fi
if command -v xcodebuild >/dev/null 2>&1 && [ -d Runtime/LiteRt.xcframework ]; then
    make app
else
    echo "no Xcode with the runtime here: the app was not built"
fi
