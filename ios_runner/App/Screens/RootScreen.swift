import SwiftUI

struct RootScreen: View {
    var body: some View {
        TabView {
            CameraScreen().tabItem { Label("Camera", systemImage: "camera") }
            TextScreen().tabItem { Label("Text", systemImage: "text.bubble") }
            BenchmarkScreen().tabItem { Label("Benchmark", systemImage: "stopwatch") }
            JobsScreen().tabItem { Label("Jobs", systemImage: "tray.full") }
        }
    }
}
