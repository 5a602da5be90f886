import Foundation
import Observation

/// The live variants in the inbox, and the one that is loaded.
@MainActor
@Observable
final class LiveVariants {
    enum State {
        case nothing
        case loading
        case loaded(LiveModel)
        case failed(String)
    }

    private(set) var files: [URL] = []
    private(set) var selected: URL?
    private(set) var state = State.nothing

    /// Looks into the inbox again; the newest variant is loaded unless the chosen one is still there.
    func refresh() {
        files = Inbox.liveFiles()
        if let selected, files.contains(selected) { return }
        select(files.first)
    }

    func select(_ file: URL?) {
        selected = file
        guard let file else {
            state = .nothing
            return
        }
        state = .loading
        Task {
            let opened = await Task.detached(priority: .userInitiated) {
                Result { try LiveModel(opening: file) }
            }.value
            // Another one may have been chosen meanwhile.
            guard selected == file else { return }
            switch opened {
            case .success(let model): state = .loaded(model)
            case .failure(let error): state = .failed(error.localizedDescription)
            }
        }
    }
}
