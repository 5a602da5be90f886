import SwiftUI

@main
struct HarnessRunnerApp: App {
    @State private var benchmark = Benchmark()
    @State private var variants = LiveVariants()
    @Environment(\.scenePhase) private var scenePhase

    var body: some Scene {
        WindowGroup {
            RootScreen()
                .environment(benchmark)
                .environment(variants)
                .task { await start() }
                .onChange(of: scenePhase) { before, now in benchmark.sceneChanged(from: before, to: now) }
        }
    }

    private func start() async {
        switch LaunchRequest(arguments: CommandLine.arguments) {
        case .screens:
            variants.refresh()
            await benchmark.refresh()
        case .job(let jobID):
            // The harness reads the exit status: 0 finished, 3 the job failed, 2 unusable.
            exit(await benchmark.runOne(jobID).exitStatus)
        case .unusable(let problem):
            FileHandle.standardError.write(Data("HarnessRunner: \(problem)\n".utf8))
            exit(RunStatus.unusable.exitStatus)
        }
    }
}
