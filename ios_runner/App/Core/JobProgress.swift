import HarnessCore

/// How far a running job is.
struct JobProgress: Sendable, Equatable {
    let stage: String
    let steadySamples: UInt64
    let plannedSamples: UInt64

    var fraction: Double {
        plannedSamples == 0 ? 0 : min(1, Double(steadySamples) / Double(plannedSamples))
    }
}

/// Carries the core's progress out of a C callback.
final class ProgressRelay: Sendable {
    private let onProgress: @Sendable (JobProgress) -> Void

    init(_ onProgress: @escaping @Sendable (JobProgress) -> Void) { self.onProgress = onProgress }

    /// Lives as long as the relay, which its owner keeps as long as the handle.
    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    static let callback: harness_runner_progress_callback = { context, progress in
        guard let context, let progress else { return }
        let relay = Unmanaged<ProgressRelay>.fromOpaque(context).takeUnretainedValue()
        let now = progress.pointee
        relay.onProgress(
            JobProgress(
                stage: now.stage.map { String(cString: $0) } ?? "",
                steadySamples: now.steady_samples,
                plannedSamples: now.planned_samples))
    }
}
