import SwiftUI

struct JobsScreen: View {
    @Environment(Benchmark.self) private var benchmark

    var body: some View {
        NavigationStack {
            List {
                ForEach(benchmark.jobs) { job in
                    NavigationLink {
                        List { JobResult(job: job) }
                            .navigationTitle(job.jobId)
                            .toolbar { ShareLink(items: Inbox.resultFiles(of: job.jobId)) }
                    } label: {
                        JobRow(job: job)
                    }
                    .swipeActions {
                        Button("Delete", role: .destructive) { Task { await benchmark.delete(job.jobId) } }
                            .disabled(benchmark.running == job.jobId)
                    }
                }
            }
            .overlay {
                if benchmark.jobs.isEmpty {
                    ContentUnavailableView(
                        "No jobs", systemImage: "tray", description: Text("The harness sends them over the cable."))
                }
            }
            .navigationTitle("Jobs")
            .refreshable { await benchmark.refresh() }
            .task { await benchmark.refresh() }
        }
    }
}

private struct JobRow: View {
    let job: JobState

    var body: some View {
        VStack(alignment: .leading) {
            Text(job.jobId).font(.headline)
            HStack {
                Text(job.state)
                Spacer()
                Text(Int64(job.folderBytes), format: .byteCount(style: .file))
            }
            .font(.caption)
            .foregroundStyle(.secondary)
        }
    }
}
