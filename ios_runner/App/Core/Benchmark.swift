import HarnessCore
import Observation
import SwiftUI
import UIKit

/// Runs jobs of the inbox, and tells the core what happens to the app meanwhile.
@MainActor
@Observable
final class Benchmark {
    private(set) var jobs: [JobState] = []
    private(set) var running: String?
    private(set) var progress: JobProgress?
    private(set) var lastJob: String?
    private(set) var problem: String?
    private(set) var thermalState = ThermalState(ProcessInfo.processInfo.thermalState)

    @ObservationIgnored private let runner: JobRunner
    @ObservationIgnored private let progressUpdates: AsyncStream<JobProgress>
    @ObservationIgnored private var backgroundTask = UIBackgroundTaskIdentifier.invalid
    /// Whether to go on by itself when the app comes back.
    @ObservationIgnored private var wantsToRun = false

    init() {
        let conditions = ConditionsSource()
        let (updates, feed) = AsyncStream.makeStream(of: JobProgress.self, bufferingPolicy: .bufferingNewest(1))
        progressUpdates = updates
        runner = JobRunner(device: .current(), conditions: conditions) { feed.yield($0) }
        conditions.watchBattery()
        watchTheSystem()
    }

    var waiting: [JobState] { jobs.filter(\.waiting) }
    var last: JobState? { jobs.first { $0.jobId == lastJob } }

    func refresh() async {
        do {
            jobs = try await runner.jobs(in: Inbox.root)
            problem = nil
        } catch {
            problem = error.localizedDescription
        }
    }

    /// All jobs that have not ended, in the order of their names.
    func runAll() async {
        guard running == nil else { return }
        wantsToRun = true
        await refresh()
        while wantsToRun, let next = waiting.first {
            let status = await runOne(next.jobId)
            await refresh()
            // An ended job does not wait any more; one that does was stopped, or cannot be written down.
            if status == .cancelled || status == .unusable { break }
        }
        if waiting.isEmpty { wantsToRun = false }
    }

    func runOne(_ jobID: String) async -> RunStatus {
        running = jobID
        UIApplication.shared.isIdleTimerDisabled = true
        defer {
            running = nil
            progress = nil
            lastJob = jobID
            UIApplication.shared.isIdleTimerDisabled = false
        }
        let status = await runner.run(Inbox.jobFolder(jobID))
        switch status {
        case .failed(let message): problem = "\(jobID): \(message)"
        case .unusable: problem = "\(jobID): \(await runner.lastError)"
        case .finished, .cancelled: problem = nil
        }
        return status
    }

    /// The job that runs keeps what it has, and goes on from there the next time.
    func stop() {
        wantsToRun = false
        runner.cancel()
    }

    func delete(_ jobID: String) async {
        guard running != jobID else { return }
        do {
            try await runner.delete(jobID, from: Inbox.root)
        } catch {
            problem = error.localizedDescription
        }
        await refresh()
    }

    func sceneChanged(from before: ScenePhase, to now: ScenePhase) {
        switch (before, now) {
        case (_, .background):
            runner.note(HARNESS_RUNNER_BACKGROUND)
            holdOn()
        case (.background, _):
            runner.note(HARNESS_RUNNER_FOREGROUND)
            letGo()
            if wantsToRun, running == nil { Task { await runAll() } }
        case (_, .inactive):
            runner.note(HARNESS_RUNNER_INACTIVE)
        default:
            runner.note(HARNESS_RUNNER_ACTIVE)
        }
    }

    /// iOS gives the app some seconds more; before they end the job is stopped where it can be resumed.
    private func holdOn() {
        guard running != nil, backgroundTask == .invalid else { return }
        backgroundTask = UIApplication.shared.beginBackgroundTask(withName: "job") { [weak self] in
            MainActor.assumeIsolated {
                self?.runner.cancel()
                self?.letGo()
            }
        }
    }

    private func letGo() {
        guard backgroundTask != .invalid else { return }
        UIApplication.shared.endBackgroundTask(backgroundTask)
        backgroundTask = .invalid
    }

    private func watchTheSystem() {
        Task { [weak self, progressUpdates] in
            for await update in progressUpdates { self?.progress = update }
        }
        let center = NotificationCenter.default
        center.addObserver(
            forName: ProcessInfo.thermalStateDidChangeNotification, object: nil, queue: .main
        ) { [weak self] _ in
            MainActor.assumeIsolated { self?.thermalState = ThermalState(ProcessInfo.processInfo.thermalState) }
        }
        center.addObserver(
            forName: UIApplication.didReceiveMemoryWarningNotification, object: nil, queue: .main
        ) { [weak self] _ in
            MainActor.assumeIsolated { self?.runner.note(HARNESS_RUNNER_MEMORY_WARNING) }
        }
    }
}
