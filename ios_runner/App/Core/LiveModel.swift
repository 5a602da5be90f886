import CoreVideo
import Foundation
import HarnessCore

/// One label with its probability, to be shown.
struct ShownLabel: Sendable, Identifiable, Equatable {
    let classIndex: Int32
    let text: String
    let probability: Float

    var id: Int32 { classIndex }
}

/// What a screen shows of a classification.
struct Classification: Sendable, Equatable {
    let labels: [ShownLabel]
    let latencyNs: UInt64
}

/// What is known of a live variant once it is loaded.
struct LiveDescription: Sendable, Equatable {
    let name: String
    let modelSha256: String
    let isImageTask: Bool
    let classes: Int
    let loadNs: UInt64
    let compileNs: UInt64
}

/// Owns the core's handle of one live variant: its model, its labels, and the values smoothed over frames.
actor LiveModel {
    private let queue = DispatchSerialQueue(label: "org.harness.runner.live", qos: .userInitiated)
    private nonisolated(unsafe) let handle: OpaquePointer
    private let top: Int32
    nonisolated let description: LiveDescription

    nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

    /// Loads and compiles the variant; takes as long as that does.
    init(opening file: URL) throws {
        guard let runner = harness_runner_create(RuntimeLibrary.path) else {
            throw CoreError(message: "no memory left")
        }
        // What the live variant needs of the runner it keeps itself.
        defer { harness_runner_destroy(runner) }
        harness_runner_set_runtime_version(runner, RuntimeLibrary.version)
        guard let opened = harness_live_open(runner, file.path) else {
            throw CoreError(message: String(cString: harness_runner_last_error(runner)))
        }
        handle = opened
        let info = harness_live_describe(opened)
        top = info.top
        description = LiveDescription(
            name: String(cString: info.name),
            modelSha256: String(cString: info.model_sha256),
            isImageTask: info.task == HARNESS_LIVE_IMAGE_CLASSIFICATION,
            classes: Int(info.classes),
            loadNs: info.load_ns,
            compileNs: info.compile_ns)
    }

    deinit { harness_live_close(handle) }

    /// The labels smoothed over the frames so far. The frame is upright, kCVPixelFormatType_32BGRA.
    func classify(frame: CameraFrame) throws -> Classification {
        CVPixelBufferLockBaseAddress(frame.buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(frame.buffer, .readOnly) }
        guard let base = CVPixelBufferGetBaseAddress(frame.buffer) else {
            throw CoreError(message: "the camera's frame has no pixels")
        }
        var pixels = harness_live_frame()
        pixels.bgra = UnsafePointer(base.assumingMemoryBound(to: UInt8.self))
        pixels.width = Int32(CVPixelBufferGetWidth(frame.buffer))
        pixels.height = Int32(CVPixelBufferGetHeight(frame.buffer))
        pixels.row_bytes = CVPixelBufferGetBytesPerRow(frame.buffer)
        guard harness_live_classify_frame(handle, &pixels) != 0 else { throw lastError }
        return classification { harness_live_smooth(handle, $0, top) }
    }

    func classify(text: String) throws -> Classification {
        guard harness_live_classify_text(handle, text) != 0 else { throw lastError }
        return classification { harness_live_best(handle, $0, top) }
    }

    /// Forgets the frames so far: after a freeze, or another camera.
    func forgetFrames() { harness_live_forget(handle) }

    private func classification(
        filling fill: (UnsafeMutablePointer<harness_live_label>) -> Int32
    ) -> Classification {
        let capacity = Int(top)
        let labels = [harness_live_label](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = buffer.baseAddress.map { Int(fill($0)) } ?? 0
        }
        return Classification(
            labels: labels.map {
                ShownLabel(classIndex: $0.class_index, text: String(cString: $0.text), probability: $0.value)
            },
            latencyNs: harness_live_latency_ns(handle))
    }

    private var lastError: CoreError { CoreError(message: String(cString: harness_live_last_error(handle))) }
}
