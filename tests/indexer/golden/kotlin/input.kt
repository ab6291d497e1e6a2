package org.example.ring

import java.util.*
import kotlin.test.Test as KTest

/** How many entries a ring holds. */
const val SIZE = 16
val shared: Ring<Int> by lazy { Ring(SIZE) }
var counter = 0

typealias Handler<T> = (T) -> Unit

/**
 * A ring of entries.
 */
@Serializable
open class Ring<T : Any>(private val size: Int, var name: String = "ring", ignored: Int = 0) :
    Base<T>(size), Iterable<T> {
    private val slots = mutableListOf<T>()

    // How many there are.
    val length: Int
        get() = slots.size

    init { counter += 1 }

    constructor(other: Ring<T>) : this(other.size) { slots.addAll(other.slots) }

    override operator fun iterator(): Iterator<T> = slots.iterator()

    suspend fun <U> push(entry: T, transform: (T) -> U = { it as U }): U {
        fun inner(x: Int) = x + 1
        val local = inner(slots.size)
        return transform(entry)
    }

    companion object {
        const val LIMIT = 3
        fun <T : Any> of(vararg all: T): Ring<T> = Ring(all.size)
    }

    inner class Cursor {
        var at = 0
    }
}

interface Reader<out T> {
    val kind: String
    fun read(bytes: ByteArray): T
}

interface Predicate { fun accept(x: Int): Boolean }

data class Point(val x: Int, val y: Int)
sealed class Result
object Registry : Base<Int>() {
    fun register(ring: Ring<*>) {}
}

enum class Status(val code: Int) {
    OK(0),
    FULL(1) {
        override fun show() = "full"
    };

    open fun show(): String = name
}

/** Doubles. */
fun Ring<Int>.doubled(): Ring<Int> = this
inline fun <reified T> main(args: Array<String>) { shared.push(args.size) }

class RingTest {
    @Test
    fun `pushes what it is given`() { assertEquals(1, shared.length) }

    @BeforeEach fun prepare() {}
}
