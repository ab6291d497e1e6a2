package org.example.ring;

import java.util.List;
import java.util.function.*;
import static org.junit.Assert.assertEquals;

/**
 * A ring of entries.
 *
 * @param <T> what it holds
 */
@SuppressWarnings("unchecked")
public final class Ring<T extends Comparable<T>> extends Base<T> implements Iterable<T> {
    /** How many. */
    public static final int SIZE = 16;
    private List<T> slots, spare = null;
    @Inject protected Reader reader;

    static { System.loadLibrary("ring"); }

    // Makes one.
    public Ring(int size) throws FullException {
        super(size);
        int local = size;
    }

    @Override
    public <U> U push(T entry, Function<? super T, ? extends U> f) {
        Runnable r = () -> slots.add(entry);
        Object o = new Object() {
            @Override public String toString() { return "x"; }
        };
        return f.apply(entry);
    }

    void push() {}
    abstract static class Nested { abstract int size(); }

    enum Status implements Coded {
        OK,
        FULL(3) { int code() { return 1; } };
        private final int code;
        Status(int code) { this.code = code; }
        int code() { return code; }
    }
}

interface Reader<T> extends AutoCloseable {
    int LIMIT = 3;
    T read(byte[] bytes);
    default void close() {}
}

record Point(int x, int y) {
    Point { if (x < 0) throw new IllegalArgumentException(); }
    static Point origin() { return new Point(0, 0); }
}

@interface Marker { String value() default "none"; }

class RingTest {
    @Test
    void pushes() { assertEquals(1, new Ring<Integer>(3).push(1, x -> x)); }

    @ParameterizedTest(name = "n") @ValueSource(ints = {1, 2})
    void counts(int n) {}

    @BeforeEach void prepare() {}
}
