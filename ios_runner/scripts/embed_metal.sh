#!/bin/sh
# Build phase: puts Metal's accelerator into the app where `make runtime METAL=1` fetched it. The runtime opens it by
# its file's name from the folder the app tells, so nothing links to it and Xcode does not embed it by itself.
set -eu

framework="$SRCROOT/Runtime/metal/$PLATFORM_NAME/LiteRtMetalAccelerator.framework"
target="$TARGET_BUILD_DIR/$FRAMEWORKS_FOLDER_PATH"

if [ ! -d "$framework" ]; then
    echo "note: without Metal: jobs that ask for it run on the CPU, and say so"
    exit 0
fi
mkdir -p "$target"
rm -rf "$target/LiteRtMetalAccelerator.framework"
cp -R "$framework" "$target/"
if [ "${CODE_SIGNING_ALLOWED:-YES}" = YES ] && [ -n "${EXPANDED_CODE_SIGN_IDENTITY:-}" ]; then
    codesign --force --sign "$EXPANDED_CODE_SIGN_IDENTITY" "$target/LiteRtMetalAccelerator.framework"
fi
