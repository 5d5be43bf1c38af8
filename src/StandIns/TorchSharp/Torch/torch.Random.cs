namespace TorchSharp;

public static partial class torch
{
    /// <summary>A source of random numbers of its own.</summary>
    public class Generator : IDisposable
    {
        private nint handle;

        public Generator(ulong seed = 0, Device? device = null)
        {
            this.device = device ?? CPU;
            handle = NativeMethods.Check(NativeMethods.ts_generator_new(seed, (long)this.device.type, this.device.index));
        }

        private Generator(nint handle) => (this.handle, device) = (handle, CPU);

        /// <summary>The generator that operators use when none is named.</summary>
        public static Generator Default { get; } = new(NativeMethods.Check(NativeMethods.ts_generator_default(0, -1)));

        public Device device { get; }

        public nint Handle => handle != 0 ? handle : throw new ObjectDisposedException(nameof(Generator));

        public long initial_seed() => (long)NativeMethods.ts_generator_seed(Handle);

        public Generator manual_seed(long seed)
        {
            NativeMethods.Check(NativeMethods.ts_generator_set_seed(Handle, (ulong)seed));
            return this;
        }

        /// <summary>Takes a seed from the system and returns it.</summary>
        public long seed() => (long)NativeMethods.ts_generator_random_seed(Handle);

        public Tensor get_state() => new(NativeMethods.Check(NativeMethods.ts_generator_state(Handle)));

        public void set_state(Tensor value) => NativeMethods.Check(NativeMethods.ts_generator_set_state(Handle, value.Handle));

        ~Generator() => Dispose(false);

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            if (handle != 0) NativeMethods.ts_generator_release(handle);
            handle = 0;
        }
    }

    /// <summary>Seeds the default generators of all devices.</summary>
    public static Generator manual_seed(long seed)
    {
        NativeMethods.Check(NativeMethods.ts_manual_seed((ulong)seed));
        return Generator.Default;
    }

    public static long initial_seed() => Generator.Default.initial_seed();

    public static long seed() => Generator.Default.seed();

    public static Tensor get_rng_state() => Generator.Default.get_state();

    public static void set_rng_state(Tensor new_state) => Generator.Default.set_state(new_state);

    public static partial class random
    {
        public static Generator manual_seed(long seed) => torch.manual_seed(seed);

        public static long initial_seed() => torch.initial_seed();

        public static long seed() => torch.seed();

        public static Tensor get_rng_state() => torch.get_rng_state();

        public static void set_rng_state(Tensor new_state) => torch.set_rng_state(new_state);
    }
}
