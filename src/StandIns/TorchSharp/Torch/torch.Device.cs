namespace TorchSharp;

public static partial class torch
{
    public static readonly Device CPU = new(DeviceType.CPU, -1);

    public static Device CUDA => new(DeviceType.CUDA, 0);

    /// <summary>Where a tensor lives. The index is -1 for the CPU.</summary>
    public class Device
    {
        public Device(DeviceType deviceType, int index = -1)
        {
            type = deviceType;
            this.index = deviceType == DeviceType.CUDA && index < 0 ? 0 : deviceType == DeviceType.CPU ? -1 : index;
        }

        /// <param name="description">"cpu", "cuda" or "cuda:1".</param>
        public Device(string description)
            : this(Parse(description.Split(':')[0]), description.Contains(':') ? int.Parse(description.Split(':')[1]) : -1)
        {
        }

        public Device(string deviceType, int index = -1)
            : this(Parse(deviceType), index)
        {
        }

        public DeviceType type { get; }

        public int index { get; }

        public static implicit operator Device(string description) => new(description);

        public override string ToString() => type == DeviceType.CPU ? "cpu" : $"{type.ToString().ToLowerInvariant()}:{index}";

        private static DeviceType Parse(string type) =>
            Enum.TryParse<DeviceType>(type, ignoreCase: true, out var parsed) ? parsed : throw new ArgumentException($"Unknown device type '{type}'");
    }

    public static Device device(string description) => new(description);

    public static Device device(string deviceType, int index = -1) => new(deviceType, index);

    public static Device device(DeviceType deviceType, int index = -1) => new(deviceType, index);

    /// <summary>Checks that the device is there.</summary>
    public static Device InitializeDevice(Device? device)
    {
        device ??= CPU;
        InitializeDeviceType(device.type);
        return device;
    }

    public static void InitializeDeviceType(DeviceType deviceType)
    {
        if (!TryInitializeDeviceType(deviceType))
            throw new InvalidOperationException($"Torch device type {deviceType} did not initialise on the current machine.");
    }

    public static bool TryInitializeDeviceType(DeviceType deviceType) =>
        deviceType is DeviceType.CPU or DeviceType.META || (deviceType == DeviceType.CUDA && cuda.is_available());

    public static bool cuda_is_available() => cuda.is_available();

    public static partial class cuda
    {
        public static bool is_available() => device_count() > 0;

        public static int device_count() => NativeMethods.ts_cuda_devices();

        public static void manual_seed(long seed) => NativeMethods.Check(NativeMethods.ts_manual_seed((ulong)seed));

        public static void manual_seed_all(long seed) => NativeMethods.Check(NativeMethods.ts_manual_seed((ulong)seed));

        public static void synchronize(Device? device = null) => NativeMethods.Check(NativeMethods.ts_cuda_synchronize(device?.index ?? -1));
    }

    public static partial class backends
    {
        public static partial class cuda
        {
            public static partial class matmul
            {
                public static bool allow_tf32
                {
                    get => NativeMethods.ts_tf32(false);
                    set => NativeMethods.ts_set_tf32(false, value);
                }
            }
        }

        public static partial class cudnn
        {
            public static bool allow_tf32
            {
                get => NativeMethods.ts_tf32(true);
                set => NativeMethods.ts_set_tf32(true, value);
            }
        }
    }
}
