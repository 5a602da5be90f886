#!/bin/sh
# Where a Swift toolchain is: drives the core from Swift and, on Linux, type-checks the app against the stubs of Apple's
# frameworks. Where Xcode and the runtime are: builds the app for the simulator.
# What was not checked it says; docs/limits.md lists it.
set -eu
cd "$(dirname "$0")/.."

# Each of tests/stubs, after those that it imports.
modules="FoundationOnApple os CoreVideo QuartzCore AVFoundation UIKit SwiftUI"

type_check_app() {
    built=build/stubs
    rm -rf "$built"
    mkdir -p "$built"
    for module in $modules; do
        swiftc -swift-version 5 -parse-as-library -emit-module -module-name "$module" -I "$built" \
            -emit-module-path "$built/$module.swiftmodule" tests/stubs/"$module"/*.swift
    done
    # With the settings of Config/HarnessRunner.xcconfig.
    find App -name '*.swift' -exec swiftc -swift-version 5 -strict-concurrency=complete -parse-as-library -typecheck \
        -module-name HarnessRunner -I "$built" -I core/include -Xfrontend -import-module -Xfrontend FoundationOnApple {} +
    echo "the app's Swift type-checks against the stubs in tests/stubs"
}

if command -v swift >/dev/null 2>&1; then
    swift run --package-path tests/swift
else
    echo "no Swift toolchain here: the core was not driven from Swift"
fi
# Older ones have no format styles.
major=$(swiftc --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\).*/\1/p' | head -n 1)
if [ "$(uname)" = Linux ] && [ "${major:-0}" -ge 6 ]; then
    type_check_app
else
    echo "no Swift 6 for Linux here: the app's Swift was parsed and its names were looked up, not type-checked"
fi
if command -v xcodebuild >/dev/null 2>&1 && [ -d Runtime/LiteRt.xcframework ]; then
    make app
else
    echo "no Xcode with the runtime here: the app was not built"
fi
