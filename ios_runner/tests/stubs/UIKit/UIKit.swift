@_exported import FoundationOnApple
@_exported import QuartzCore

@MainActor
open class UIView: NSObject {
    open class var layerClass: AnyClass { CALayer.self }
    open var layer: CALayer { CALayer() }
}

public struct UIBackgroundTaskIdentifier: Equatable, Sendable {
    public static let invalid = UIBackgroundTaskIdentifier()
}

@MainActor
open class UIApplication: NSObject {
    public class var shared: UIApplication { fatalError() }
    open var isIdleTimerDisabled = false
    open func beginBackgroundTask(
        withName name: String?, expirationHandler: (@MainActor @Sendable () -> Void)? = nil
    ) -> UIBackgroundTaskIdentifier { .invalid }
    open func endBackgroundTask(_ identifier: UIBackgroundTaskIdentifier) {}

    public nonisolated static let openSettingsURLString = ""
    public nonisolated static let didReceiveMemoryWarningNotification = NSNotification.Name("")
}

@MainActor
open class UIDevice: NSObject {
    public class var current: UIDevice { fatalError() }
    open var systemName: String { "" }
    open var isBatteryMonitoringEnabled = false
    open var batteryLevel: Float { -1 }

    public nonisolated static let batteryLevelDidChangeNotification = NSNotification.Name("")
}
