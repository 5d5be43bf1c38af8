using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace TorchSharp.Utils;

/// <summary>A dictionary that keeps the order of insertion.</summary>
public class OrderedDict<TKey, TValue> : IEnumerable<(TKey, TValue)> where TKey : notnull
{
    private readonly OrderedDictionary<TKey, TValue> items = [];

    public int Count => items.Count;

    public bool IsReadOnly => false;

    public ICollection<TKey> Keys => items.Keys;

    public ICollection<TValue> Values => items.Values;

    public TValue this[TKey key]
    {
        get => items[key];
        set => items[key] = value;
    }

    public void Add(TKey key, TValue value) => items.Add(key, value);

    public bool ContainsKey(TKey key) => items.ContainsKey(key);

    public bool Remove(TKey key) => items.Remove(key);

    public bool TryGetValue(TKey key, [MaybeNullWhen(false)] out TValue value) => items.TryGetValue(key, out value);

    public void Clear() => items.Clear();

    public IEnumerator<(TKey, TValue)> GetEnumerator()
    {
        foreach (var (key, value) in items) yield return (key, value);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
