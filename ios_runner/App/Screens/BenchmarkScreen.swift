import SwiftUI

struct BenchmarkScreen: View {
    @Environment(Benchmark.self) private var benchmark

    var body: some View {
        NavigationStack {
            List {
                Section("Phone") {
                    LabeledContent("Thermal state", value: benchmark.thermalState.rawValue)
                    if benchmark.thermalState != .nominal {
                        Text("Let the phone cool: what is measured now is flagged.").font(.footnote)
                    }
                }
                Section("Jobs") {
                    if let running = benchmark.running {
                        RunningJob(jobID: running, progress: benchmark.progress)
                        Button("Stop", role: .destructive) { benchmark.stop() }
                    } else if benchmark.waiting.isEmpty {
                        Text("No job waits. The harness sends jobs over the cable.").foregroundStyle(.secondary)
                    } else {
                        Button("Run \(benchmark.waiting.count) waiting") { Task { await benchmark.runAll() } }
                    }
                }
                if let last = benchmark.last {
                    Section("Last result") { JobResult(job: last) }
                }
                if let problem = benchmark.problem {
                    Section("Problem") { Text(problem).foregroundStyle(.red) }
                }
            }
            .navigationTitle("Benchmark")
            .refreshable { await benchmark.refresh() }
            .task { await benchmark.refresh() }
        }
    }
}

private struct RunningJob: View {
    let jobID: String
    let progress: JobProgress?

    var body: some View {
        VStack(alignment: .leading) {
            Text(jobID).font(.headline)
            if let progress, progress.stage == "steady" {
                ProgressView(value: progress.fraction)
                Text("\(progress.steadySamples) of \(progress.plannedSamples) samples").font(.caption)
            } else {
                ProgressView()
                Text(progress?.stage ?? "start").font(.caption)
            }
        }
    }
}

/// What the log says so far; the report on the desktop says it with its uncertainty.
struct JobResult: View {
    let job: JobState

    var body: some View {
        LabeledContent(job.jobId, value: job.state)
        LabeledContent("Variant", value: job.variant)
        LabeledContent("Samples", value: "\(job.steadySamples) of \(job.plannedSamples)")
        if let median = job.medianLatencyNs {
            LabeledContent("Median latency", value: String(format: "%.2f ms", Double(median) / 1e6))
        }
        if let peak = job.peakFootprintBytes {
            LabeledContent("Peak memory", value: Int64(peak).formatted(.byteCount(style: .memory)))
        }
        if let problem = job.problem { Text(problem).foregroundStyle(.red) }
    }
}
