import SwiftUI

/// Shows `content` once a variant for its task is loaded, and until then what is missing.
struct LiveVariantGate<Content: View>: View {
    @Environment(LiveVariants.self) private var variants
    let isImageTask: Bool
    @ViewBuilder let content: (LiveModel) -> Content

    var body: some View {
        Group {
            switch variants.state {
            case .nothing:
                ContentUnavailableView(
                    "No variant yet", systemImage: "tray",
                    description: Text("Send one from the desktop: harness camera VARIANT"))
            case .loading:
                ProgressView("Loading the variant")
            case .failed(let problem):
                ContentUnavailableView(
                    "The variant cannot be used", systemImage: "exclamationmark.triangle", description: Text(problem))
            case .loaded(let model) where model.description.isImageTask != isImageTask:
                ContentUnavailableView(
                    "\(model.description.name) \(isImageTask ? "takes text" : "takes pictures")",
                    systemImage: "arrow.left.arrow.right",
                    description: Text("Choose another variant, or the other screen."))
            case .loaded(let model):
                content(model).id(model.description.modelSha256)
            }
        }
        .onAppear { variants.refresh() }
    }
}
