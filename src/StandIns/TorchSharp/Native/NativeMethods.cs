using System.Runtime.InteropServices;

namespace TorchSharp;

/// <summary>The functions of native/torch_standin.cpp that are not operators.</summary>
internal static unsafe partial class NativeMethods
{
    private const string Library = "TorchSharpStandIn";

    internal struct Info
    {
        public long Dim, Numel, Dtype, DeviceType, DeviceIndex, ItemSize, StorageOffset;
        public byte RequiresGrad, IsLeaf, IsContiguous, IsSparse;
    }

    static NativeMethods()
    {
        // OpenMP's threads spin while they wait, which on cores shared with other processes makes a training step ten times slower.
        // libgomp reads this once, when it is loaded with libtorch; .NET's own copy of the environment does not reach it.
        if (Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null && Environment.GetEnvironmentVariable("GOMP_SPINCOUNT") is null)
            setenv("OMP_WAIT_POLICY", "passive", 0);
        if (!NativeLibrary.TryLoad(Library, typeof(NativeMethods).Assembly, null, out _))
            throw new NotSupportedException(
                "libTorchSharpStandIn.so or the libtorch that it needs cannot be loaded: reference TorchSharp-cpu (or TorchSharp-cuda-linux) " +
                "from the executable project, and build the native library with ./pipeline.");
    }

    [DllImport("libc")] private static extern int setenv([MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, int overwrite);
    [DllImport(Library)] private static extern byte* ts_error();
    [DllImport(Library)] internal static extern nint ts_operator([MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string overload);
    [DllImport(Library)] internal static extern int ts_call(nint op, NativeValue* args, int count, NativeValue* results, int capacity);
    [DllImport(Library)] internal static extern void ts_free(nint memory);
    [DllImport(Library)] internal static extern void ts_release(nint handle);
    [DllImport(Library), SuppressGCTransition] internal static extern void ts_retain(nint handle);
    [DllImport(Library), SuppressGCTransition] internal static extern void ts_info(nint handle, Info* info);
    [DllImport(Library), SuppressGCTransition] internal static extern long ts_dim(nint handle);
    [DllImport(Library), SuppressGCTransition] internal static extern long ts_numel(nint handle);
    [DllImport(Library), SuppressGCTransition] internal static extern long ts_dtype(nint handle);
    [DllImport(Library), SuppressGCTransition] internal static extern void ts_sizes(nint handle, long* sizes);
    [DllImport(Library)] internal static extern int ts_strides(nint handle, long* strides);
    [DllImport(Library)] internal static extern nint ts_data(nint handle);
    [DllImport(Library)] internal static extern int ts_set_requires_grad(nint handle, [MarshalAs(UnmanagedType.U1)] bool on);
    [DllImport(Library)] internal static extern int ts_grad(nint handle, nint* grad);
    [DllImport(Library)] internal static extern int ts_set_grad(nint handle, nint grad);
    [DllImport(Library)] internal static extern int ts_autograd_grad(nint* outputs, nint* gradOutputs, int outputCount, nint* inputs, int inputCount,
        [MarshalAs(UnmanagedType.U1)] bool retainGraph, [MarshalAs(UnmanagedType.U1)] bool createGraph, [MarshalAs(UnmanagedType.U1)] bool allowUnused, nint* results);
    [DllImport(Library)] [return: MarshalAs(UnmanagedType.U1)] internal static extern bool ts_grad_enabled();
    [DllImport(Library)] internal static extern void ts_set_grad_enabled([MarshalAs(UnmanagedType.U1)] bool on);
    [DllImport(Library)] [return: MarshalAs(UnmanagedType.U1)] internal static extern bool ts_inference_enabled();
    [DllImport(Library)] internal static extern nint ts_inference_enter([MarshalAs(UnmanagedType.U1)] bool on);
    [DllImport(Library)] internal static extern void ts_inference_leave(nint guard);
    [DllImport(Library)] internal static extern nint ts_generator_default(long deviceType, long deviceIndex);
    [DllImport(Library)] internal static extern nint ts_generator_new(ulong seed, long deviceType, long deviceIndex);
    [DllImport(Library)] internal static extern void ts_generator_release(nint handle);
    [DllImport(Library)] internal static extern ulong ts_generator_seed(nint handle);
    [DllImport(Library)] internal static extern int ts_generator_set_seed(nint handle, ulong seed);
    [DllImport(Library)] internal static extern ulong ts_generator_random_seed(nint handle);
    [DllImport(Library)] internal static extern nint ts_generator_state(nint handle);
    [DllImport(Library)] internal static extern int ts_generator_set_state(nint handle, nint state);
    [DllImport(Library)] internal static extern int ts_manual_seed(ulong seed);
    [DllImport(Library)] internal static extern byte* ts_version();
    [DllImport(Library)] internal static extern int ts_threads();
    [DllImport(Library)] internal static extern void ts_set_threads(int count);
    [DllImport(Library)] internal static extern int ts_interop_threads();
    [DllImport(Library)] internal static extern int ts_set_interop_threads(int count);
    [DllImport(Library)] internal static extern int ts_cuda_devices();
    [DllImport(Library)] internal static extern int ts_cuda_synchronize(long deviceIndex);
    [DllImport(Library)] [return: MarshalAs(UnmanagedType.U1)] internal static extern bool ts_tf32([MarshalAs(UnmanagedType.U1)] bool cudnn);
    [DllImport(Library)] internal static extern void ts_set_tf32([MarshalAs(UnmanagedType.U1)] bool cudnn, [MarshalAs(UnmanagedType.U1)] bool on);

    internal static ExternalException Error() => new(Marshal.PtrToStringUTF8((nint)ts_error()));

    internal static void Check(int status)
    {
        if (status < 0) throw Error();
    }

    internal static nint Check(nint handle) => handle != 0 ? handle : throw Error();
}
