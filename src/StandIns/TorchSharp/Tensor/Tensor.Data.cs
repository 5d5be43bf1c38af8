using TorchSharp.Utils;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>The bytes of a contiguous tensor on the CPU, in place.</summary>
        public unsafe Span<byte> bytes
        {
            get
            {
                var total = NumberOfElements * ElementSize;
                if (total > int.MaxValue) throw new ArgumentException("Span only supports up to int.MaxValue elements.");
                return new Span<byte>(DataPointer(), (int)total);
            }
            set
            {
                if (value.Length != NumberOfElements * ElementSize) throw new ArgumentException("Mismatched data sizes in Tensor.bytes");
                value.CopyTo(bytes);
            }
        }

        /// <summary>The elements of a tensor on the CPU, in place.</summary>
        public TensorAccessor<T> data<T>() where T : unmanaged
        {
            CheckElementType<T>();
            return new TensorAccessor<T>(this);
        }

        public unsafe void WriteBytesToStream(Stream stream, int bufferSize = 1024)
        {
            var at = (byte*)DataPointer();
            for (long left = NumberOfElements * ElementSize, count; left > 0; left -= count, at += count)
                stream.Write(new ReadOnlySpan<byte>(at, (int)(count = Math.Min(left, 1 << 30))));
            GC.KeepAlive(this);
        }

        public unsafe void ReadBytesFromStream(Stream stream, int bufferSize = 1024)
        {
            var at = (byte*)DataPointer();
            for (long left = NumberOfElements * ElementSize, count; left > 0; left -= count, at += count)
                stream.ReadExactly(new Span<byte>(at, (int)(count = Math.Min(left, 1 << 30))));
            GC.KeepAlive(this);
        }

        /// <summary>The only element, as a number of the tensor's own type.</summary>
        public T item<T>() where T : unmanaged
        {
            CheckElementType<T>();
            if (NumberOfElements != 1) throw new ArgumentException($"Number of elements in the tensor must be 1");
            using var local = device_type == DeviceType.CPU ? null : cpu();
            return new TensorAccessor<T>(local ?? this).First();
        }

        /// <summary>The only element.</summary>
        public Scalar ToScalar() => Aten.Number("item", this);

        public float ReadCpuSingle(long i) => new TensorAccessor<float>(Checked<float>()).At(i);
        public double ReadCpuDouble(long i) => new TensorAccessor<double>(Checked<double>()).At(i);
        public long ReadCpuInt64(long i) => new TensorAccessor<long>(Checked<long>()).At(i);
        public int ReadCpuInt32(long i) => new TensorAccessor<int>(Checked<int>()).At(i);
        public byte ReadCpuByte(long i) => new TensorAccessor<byte>(Checked<byte>()).At(i);
        public bool ReadCpuBool(long i) => new TensorAccessor<bool>(Checked<bool>()).At(i);

        public static explicit operator float(Tensor value) => value.ToSingle();
        public static explicit operator double(Tensor value) => value.ToDouble();
        public static explicit operator sbyte(Tensor value) => value.ToSByte();
        public static explicit operator byte(Tensor value) => value.ToByte();
        public static explicit operator short(Tensor value) => value.ToInt16();
        public static explicit operator int(Tensor value) => value.ToInt32();
        public static explicit operator long(Tensor value) => value.ToInt64();
        public static explicit operator bool(Tensor value) => value.ToBoolean();

        internal unsafe void* DataPointer(bool strided = false)
        {
            var info = Info;
            if (info.DeviceType != 0) throw new InvalidOperationException("Reading data from non-CPU memory is not supported. Move or copy the tensor to the cpu before reading.");
            if (!strided && info.IsContiguous == 0) throw new NotImplementedException("Bytes() called on non-contiguous tensor.");
            return (void*)NativeMethods.ts_data(Handle);
        }

        private Tensor Checked<T>() where T : unmanaged
        {
            CheckElementType<T>();
            return this;
        }

        private void CheckElementType<T>() where T : unmanaged
        {
            var fits = dtype switch
            {
                ScalarType.Byte => typeof(T) == typeof(byte),
                ScalarType.Int8 => typeof(T) == typeof(sbyte),
                ScalarType.Int16 => typeof(T) == typeof(short),
                ScalarType.Int32 => typeof(T) == typeof(int),
                ScalarType.Int64 => typeof(T) == typeof(long),
                ScalarType.Float16 => typeof(T) == typeof(Half),
                ScalarType.Float32 => typeof(T) == typeof(float),
                ScalarType.Float64 => typeof(T) == typeof(double),
                ScalarType.Bool => typeof(T) == typeof(bool),
                _ => false,
            };
            if (!fits) throw new ArgumentException($"{typeof(T).Name} is not compatible with {dtype}");
        }
    }
}
