using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>Calls ATen operators by schema name ("add.Tensor"). Arguments left out at the end take the schema's defaults.</summary>
internal static unsafe class Aten
{
    private const int StackWords = 64;
    private static readonly ConcurrentDictionary<string, nint> operators = new();

    /// <summary>Whether this libtorch has the operator.</summary>
    internal static bool Has(string op) => operators.TryGetValue(op, out var handle) ? handle != 0 : Lookup(op) != 0;

    /// <summary>An operator that returns one tensor, or the first of several.</summary>
    internal static Tensor One(string op, params ReadOnlySpan<Arg> args)
    {
        NativeValue result;
        Call(op, args, &result, 1);
        return new Tensor((nint)result.Bits);
    }

    /// <summary>An operator that changes its first argument, which is returned.</summary>
    internal static Tensor InPlace(string op, params ReadOnlySpan<Arg> args)
    {
        Call(op, args, null, 0);
        return (Tensor)args[0].Object!;
    }

    /// <summary>An operator that returns nothing of interest.</summary>
    internal static void Do(string op, params ReadOnlySpan<Arg> args) => Call(op, args, null, 0);

    /// <summary>An operator that returns two tensors.</summary>
    internal static (Tensor, Tensor) Two(string op, params ReadOnlySpan<Arg> args)
    {
        var results = stackalloc NativeValue[2];
        Call(op, args, results, 2);
        return (new Tensor((nint)results[0].Bits), new Tensor((nint)results[1].Bits));
    }

    /// <summary>An operator that returns three tensors.</summary>
    internal static (Tensor, Tensor, Tensor) Three(string op, params ReadOnlySpan<Arg> args)
    {
        var results = stackalloc NativeValue[3];
        Call(op, args, results, 3);
        return (new Tensor((nint)results[0].Bits), new Tensor((nint)results[1].Bits), new Tensor((nint)results[2].Bits));
    }

    /// <summary>An operator that returns a list of tensors.</summary>
    internal static Tensor[] Many(string op, params ReadOnlySpan<Arg> args)
    {
        NativeValue result;
        Call(op, args, &result, 1);
        var handles = (nint*)result.Bits;
        var tensors = new Tensor[result.Count];
        for (var k = 0; k < tensors.Length; k++) tensors[k] = new Tensor(handles[k]);
        NativeMethods.ts_free((nint)handles);
        return tensors;
    }

    /// <summary>An operator that returns a number or a truth value.</summary>
    internal static Scalar Number(string op, params ReadOnlySpan<Arg> args)
    {
        NativeValue result;
        Call(op, args, &result, 1);
        return result.Tag switch
        {
            Tag.Double => BitConverter.Int64BitsToDouble(result.Bits),
            Tag.Bool => result.Bits != 0,
            _ => result.Bits,
        };
    }

    private static nint Lookup(string op)
    {
        var dot = op.IndexOf('.');
        var handle = dot < 0
            ? NativeMethods.ts_operator("aten::" + op, "")
            : NativeMethods.ts_operator("aten::" + op[..dot], op[(dot + 1)..]);
        operators[op] = handle;
        return handle;
    }

    private static void Call(string op, ReadOnlySpan<Arg> args, NativeValue* results, int capacity)
    {
        if (!operators.TryGetValue(op, out var handle)) handle = Lookup(op);
        if (handle == 0) throw new NotSupportedException($"This libtorch has no operator aten::{op}.");

        // Lists and strings are copied next to the arguments: they must not move during the call.
        var words = 0;
        foreach (ref readonly var arg in args) words += Words(arg);
        var onStack = stackalloc long[StackWords];
        var pool = words <= StackWords ? null : GC.AllocateUninitializedArray<long>(words, pinned: true);
        var scratch = pool is null ? onStack : (long*)Unsafe.AsPointer(ref pool[0]);

        var values = stackalloc NativeValue[args.Length];
        for (var k = 0; k < args.Length; k++) scratch = Marshal(args[k], values + k, scratch);

        var count = NativeMethods.ts_call(handle, values, args.Length, results, capacity);
        GC.KeepAlive(pool);
        if (count < 0) throw NativeMethods.Error();
        if (count < capacity) throw new InvalidOperationException($"aten::{op} returned {count} results.");
    }

    private static int Words(in Arg arg) => arg.Tag switch
    {
        Tag.IntList => ((long[])arg.Object!).Length,
        Tag.DoubleList => ((double[])arg.Object!).Length,
        Tag.TensorList => ((Tensor?[])arg.Object!).Length,
        Tag.String => Encoding.UTF8.GetByteCount((string)arg.Object!) / 8 + 1,
        _ => 0,
    };

    private static long* Marshal(in Arg arg, NativeValue* value, long* scratch)
    {
        value->Tag = arg.Tag;
        value->Count = 0;
        value->Bits = arg.Bits;
        switch (arg.Tag)
        {
            case Tag.Tensor:
                value->Bits = Unsafe.As<Tensor>(arg.Object)!.Handle;
                return scratch;
            case Tag.Device:
                value->Count = Unsafe.As<Device>(arg.Object)!.index;
                return scratch;
            case Tag.IntList:
                var ints = Unsafe.As<long[]>(arg.Object)!;
                ints.CopyTo(new Span<long>(scratch, ints.Length));
                return List(value, scratch, ints.Length, ints.Length);
            case Tag.DoubleList:
                var doubles = Unsafe.As<double[]>(arg.Object)!;
                doubles.CopyTo(new Span<double>(scratch, doubles.Length));
                return List(value, scratch, doubles.Length, doubles.Length);
            case Tag.TensorList:
                var tensors = Unsafe.As<Tensor?[]>(arg.Object)!;
                for (var k = 0; k < tensors.Length; k++) scratch[k] = tensors[k]?.Handle ?? 0;
                return List(value, scratch, tensors.Length, tensors.Length);
            case Tag.String:
                var text = Unsafe.As<string>(arg.Object)!;
                var bytes = Encoding.UTF8.GetBytes(text, new Span<byte>(scratch, Encoding.UTF8.GetByteCount(text)));
                return List(value, scratch, bytes, bytes / 8 + 1);
            default:
                return scratch;
        }
    }

    private static long* List(NativeValue* value, long* at, int count, int words)
    {
        value->Count = count;
        value->Bits = (long)at;
        return at + words;
    }
}
