namespace FunctionsPipeline.Phi3Vision;

/// <summary>
/// Priority queue of merges by rank, then position: a binary heap of rank · 2^32 + position in the caller's buffer, which must be large
/// enough.
/// </summary>
internal ref struct MergeQueue(Span<ulong> buffer)
{
    private readonly Span<ulong> _heap = buffer;
    private int _count;

    public void Add(int rank, int position)
    {
        var item = (ulong)rank << 32 | (uint)position;
        var at = _count++;
        for (; at > 0 && _heap[(at - 1) / 2] > item; at = (at - 1) / 2) _heap[at] = _heap[(at - 1) / 2];
        _heap[at] = item;
    }

    public bool TryTake(out int rank, out int position)
    {
        (rank, position) = (0, 0);
        if (_count == 0) return false;
        (rank, position) = ((int)(_heap[0] >> 32), (int)(uint)_heap[0]);
        var item = _heap[--_count];
        var at = 0;
        for (var child = 1; child < _count; child = at * 2 + 1)
        {
            if (child + 1 < _count && _heap[child + 1] < _heap[child]) child++;
            if (_heap[child] >= item) break;
            _heap[at] = _heap[child];
            at = child;
        }
        _heap[at] = item;
        return true;
    }
}
