import Foundation
import HarnessCore

/// How a run of a job ended. The first three are the exit statuses that the harness knows.
enum RunStatus: Equatable {
    case finished
    case failed(String)
    case unusable
    case cancelled

    var exitStatus: Int32 {
        switch self {
        case .finished: return 0
        case .failed: return 3
        case .unusable, .cancelled: return 2
        }
    }
}

/// Owns the core's handle. Its executor is one thread of user-interactive quality, on which jobs run to their end.
actor JobRunner {
    private let queue = DispatchSerialQueue(label: "org.harness.runner.jobs", qos: .userInteractive)
    // The core allows the calls of `cancel` and `note` from any thread.
    private nonisolated(unsafe) let handle: OpaquePointer
    private let conditions: ConditionsSource
    private let progress: ProgressRelay

    nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

    /// `onProgress` is called on the executor's thread, between blocks of samples.
    init(device: DeviceDescription, conditions: ConditionsSource, onProgress: @escaping @Sendable (JobProgress) -> Void) {
        guard let created = harness_runner_create(RuntimeLibrary.path) else {
            fatalError("no memory for the runner's handle")
        }
        handle = created
        self.conditions = conditions
        progress = ProgressRelay(onProgress)
        harness_runner_set_runtime_version(handle, RuntimeLibrary.version)
        if let folder = RuntimeLibrary.acceleratorFolder {
            harness_runner_set_accelerator_folder(handle, folder)
        }
        device.give(to: handle)
        harness_runner_set_conditions_callback(handle, ConditionsSource.callback, conditions.context)
        harness_runner_set_progress_callback(handle, ProgressRelay.callback, progress.context)
    }

    deinit { harness_runner_destroy(handle) }

    func run(_ folder: URL) -> RunStatus {
        switch harness_runner_run(handle, folder.path) {
        case HARNESS_RUNNER_FINISHED: return .finished
        case HARNESS_RUNNER_FAILED: return .failed(lastError)
        case HARNESS_RUNNER_CANCELLED: return .cancelled
        default: return .unusable
        }
    }

    func jobs(in inbox: URL) throws -> [JobState] {
        guard let text = harness_runner_list_jobs(handle, inbox.path) else { throw CoreError(message: lastError) }
        defer { harness_runner_free_text(text) }
        return try JobList(json: String(cString: text)).jobs
    }

    func delete(_ jobID: String, from inbox: URL) throws {
        guard harness_runner_delete_job(handle, inbox.path, jobID) != 0 else { throw CoreError(message: lastError) }
    }

    var lastError: String { String(cString: harness_runner_last_error(handle)) }

    nonisolated func cancel() { harness_runner_cancel(handle) }

    nonisolated func note(_ interruption: harness_runner_interruption) {
        harness_runner_note_interruption(handle, interruption)
    }
}

/// Why the core refused; the text is the core's.
struct CoreError: LocalizedError {
    let message: String
    var errorDescription: String? { message }
}
