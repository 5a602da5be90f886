import SwiftUI

/// Which variant a screen shows: its name and the start of its model's hash; a tap chooses another.
struct LiveVariantHeader: View {
    @Environment(LiveVariants.self) private var variants
    let description: LiveDescription

    var body: some View {
        Menu {
            ForEach(variants.files, id: \.self) { file in
                Button(file.deletingPathExtension().lastPathComponent) { variants.select(file) }
            }
        } label: {
            VStack(alignment: .leading) {
                Text(description.name).font(.headline)
                Text(description.modelSha256.prefix(8)).font(.caption.monospaced())
            }
        }
        .accessibilityLabel("Variant \(description.name)")
    }
}
