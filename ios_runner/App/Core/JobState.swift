import Foundation

/// One job of the inbox, as the core lists it.
struct JobState: Decodable, Identifiable, Equatable {
    let jobId: String
    let state: String
    let waiting: Bool
    let variant: String
    let modelSha256: String
    let problem: String?
    let inputCount: UInt64
    let steadySamples: UInt64
    let plannedSamples: UInt64
    let medianLatencyNs: UInt64?
    let peakFootprintBytes: UInt64?
    let folderBytes: UInt64

    var id: String { jobId }
}

struct JobList: Decodable {
    let jobs: [JobState]

    init(json: String) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(JobList.self, from: Data(json.utf8))
    }
}
