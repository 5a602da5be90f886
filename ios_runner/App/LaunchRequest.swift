import Foundation

/// What the app was launched for: by a tap, or by the harness with `--run-job JOB_ID`.
enum LaunchRequest: Equatable {
    case screens
    case job(String)
    case unusable(String)

    init(arguments: [String]) {
        guard let flag = arguments.firstIndex(of: "--run-job") else {
            self = .screens
            return
        }
        guard arguments.indices.contains(flag + 1) else {
            self = .unusable("--run-job needs a job's id")
            return
        }
        self = .job(arguments[flag + 1])
    }
}
