import Foundation
@testable import struct Ring.Core

/// How many entries a ring holds.
public let size = 16
var counter = 0, total: Int = 1

/**
 A ring of entries.
 */
@objc public final class Ring<T: Hashable>: Base<T>, Sequence where T: Codable {
    static let shared = Ring<Int>(size: 3)
    private var slots: [T] = []
    @Published var name: String = "ring" {
        didSet { counter += 1 }
    }

    /// How many.
    var count: Int { return slots.count }

    init(size: Int) { super.init() }
    convenience init?(other: Ring) { return nil }
    deinit { counter -= 1 }

    func push<U>(_ entry: T, at index: Int = 0, map: (T) -> U) async throws -> U {
        func inner(_ x: Int) -> Int { x + 1 }
        let local = inner(index)
        return map(entry)
    }

    subscript(index: Int) -> T { slots[index] }
    static func == (a: Ring, b: Ring) -> Bool { a.slots == b.slots }
    class func make() -> Ring { Ring(size: size) }

    enum Status: String {
        case ok
        case full(Int), other = "x"
        var isFull: Bool { self != .ok }
    }
    typealias Item = T
}

struct Point { let x, y: Int; var z = 0 }
actor Store { func save() async {} }

protocol Reader: AnyObject {
    associatedtype Item
    var kind: String { get }
    func read(_ bytes: Data) -> Item
    init()
}

// More of it.
extension Ring: CustomStringConvertible {
    var description: String { "ring" }
    func show() -> String { description }
}

func main(args: [String]) { Ring<Int>.shared.push(1) { $0 } }

class RingTests: XCTestCase {
    override func setUp() {}
    func testPushes() throws { XCTAssertEqual(1, Ring<Int>.make().count) }
}

@Test("counts") func counts() {}
