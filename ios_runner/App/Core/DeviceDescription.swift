import HarnessCore
import UIKit

/// What only UIKit knows about the phone; its model, cores and memory the core asks the kernel for.
struct DeviceDescription: Sendable {
    let targetClass: String
    let os: String

    @MainActor
    static func current() -> DeviceDescription {
        #if targetEnvironment(simulator)
            // A simulator's figures are the Mac's: no evidence for a phone.
            let targetClass = "virtual"
        #else
            let targetClass = "iphone"
        #endif
        return DeviceDescription(targetClass: targetClass, os: UIDevice.current.systemName)
    }

    func give(to handle: OpaquePointer) {
        targetClass.withCString { targetClass in
            os.withCString { os in
                var device = harness_runner_device()
                device.target_class = targetClass
                device.os = os
                harness_runner_set_device(handle, &device)
            }
        }
    }
}
