using System;
using System.Collections.Generic;
using static System.Math;
using Json = Newtonsoft.Json.JsonConvert;

namespace Example.Rings
{
    /// <summary>A ring of entries.</summary>
    [Serializable]
    public sealed partial class Ring<T> : Base<T>, IEnumerable<T> where T : class
    {
        public const int Size = 16;
        private readonly List<T> slots = new(), spare;
        public static event EventHandler<T> Changed;

        // Makes one.
        public Ring(int size) : base(size) { var local = size; }
        ~Ring() { }

        /// <summary>How many.</summary>
        public int Count { get; private set; } = 0;
        public bool IsEmpty => Count == 0;
        public T this[int index] { get { return slots[index]; } }
        public static Ring<T> operator +(Ring<T> a, Ring<T> b) => a.Merge(b);
        public static implicit operator int(Ring<T> ring) => ring.Count;

        public async Task<T?> PushAsync<U>(T entry, Func<T, U> f = null)
        {
            int Helper(int x) => x + 1;
            var closure = (int x) => Helper(x);
            return await Task.FromResult(entry);
        }

        public int Twice() => 2 * Count;
        partial void OnPushed(T entry);
        void IDisposable.Dispose() { }

        public enum Status : byte { Ok, Full = 3 }
        private struct Slot { public T Value; }
    }

    public interface IReader<in T> : IDisposable
    {
        T Read(byte[] bytes);
        int Limit { get; }
    }

    public record Point(int X, int Y);
    public record struct Pair { public int A { get; init; } }
    public delegate void Handler<T>(T entry);

    public static class Extensions
    {
        public static string Show<T>(this Ring<T> ring) where T : class => $"{ring.Count}";
    }

    public class RingTests
    {
        [Fact]
        public void Pushes() { Assert.Equal(1, new Ring<string>(3).Count); }

        [Theory, InlineData(1)]
        public void Counts(int n) { }

        [SetUp] public void Prepare() { }
    }
}
