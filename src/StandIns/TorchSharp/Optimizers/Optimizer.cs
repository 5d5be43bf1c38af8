using TorchSharp.Modules;
using TorchSharp.Utils;

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            /// <summary>What a learning-rate schedule changes.</summary>
            public interface ILearningRateController
            {
                double LearningRate { get; set; }

                double InitialLearningRate { get; set; }
            }

            public interface IBetas
            {
                (double, double) Betas { get; set; }
            }

            /// <summary>Changes parameters by their gradients.</summary>
            public abstract class Optimizer : IDisposable
            {
                protected IList<ParamGroup> _parameter_groups = [];

                internal Optimizer()
                {
                }

                public virtual IEnumerable<ILearningRateController> ParamGroups => _parameter_groups;

                public virtual IEnumerable<Parameter> parameters() => _parameter_groups.SelectMany(group => group.Parameters);

                public virtual void zero_grad()
                {
                    // Not to nothing: what had a gradient once still decays in a step that none reaches it in.
                    foreach (var parameter in parameters())
                    {
                        using var grad = parameter.grad;
                        grad?.detach().zero_().Dispose();
                    }
                }

                public virtual Tensor step(Func<Tensor>? closure = null) => throw new NotImplementedException();

                public virtual void add_param_group(ParamGroup param_group) => throw new NotImplementedException();

                ~Optimizer() => Dispose(false);

                public void Dispose()
                {
                    Dispose(true);
                    GC.SuppressFinalize(this);
                }

                protected virtual void Dispose(bool disposing) { }

                /// <summary>Options and state, by position.</summary>
                public class StateDictionary
                {
                    internal StateDictionary()
                    {
                    }

                    public List<OptimizerOptions> Options { get; } = [];

                    public List<OptimizerState> State { get; } = [];

                    public List<List<int>> StateIndexRef { get; } = [];
                }
            }
        }
    }

    namespace Modules
    {
        /// <summary>Parameters that share options.</summary>
        public class ParamGroup : torch.optim.ILearningRateController
        {
            public ParamGroup()
            {
            }

            public IEnumerable<Parameter> Parameters { get; set; } = [];

            public OptimizerOptions Options { get; set; } = null!;

            public double LearningRate
            {
                get => Options.LearningRate!.Value;
                set => Options.LearningRate = value;
            }

            public double InitialLearningRate
            {
                get => Options.InitialLearningRate;
                set => Options.InitialLearningRate = value;
            }
        }

        public class ParamGroup<TOptions> : ParamGroup where TOptions : OptimizerOptions
        {
            public ParamGroup()
            {
            }

            public ParamGroup(IEnumerable<Parameter> parameters, TOptions? options = null)
            {
                Parameters = parameters;
                base.Options = options!;
            }

            public new TOptions Options
            {
                get => (TOptions)base.Options;
                set => base.Options = value;
            }
        }

        public class OptimizerOptions
        {
            public double? LearningRate { get; set; }

            public double InitialLearningRate { get; set; }

            public virtual void LoadStateDict(OptimizerOptions source)
            {
                LearningRate = source.LearningRate;
                InitialLearningRate = source.InitialLearningRate;
            }
        }

        /// <summary>What an optimizer remembers of a parameter.</summary>
        public abstract class OptimizerState
        {
            protected Parameter _parameter;

            protected OptimizerState(Parameter parameter) => _parameter = parameter;

            public abstract void Initialize(OptimizerOptions options);

            public abstract void LoadStateDict(OptimizerState source);

            public virtual void to(torch.Device device) { }

            public virtual bool ApproximatelyEquals(OptimizerState other) => false;
        }

        /// <summary>What the optimizers written in .NET have in common.</summary>
        public abstract class OptimizerHelper : torch.optim.Optimizer
        {
            protected OptimizerOptions _defaults = null!;
            protected OrderedDict<nint, OptimizerState> _state = new();

            public OptimizerHelper()
            {
            }

            public virtual torch.optim.Optimizer.StateDictionary state_dict()
            {
                var dictionary = new StateDictionary();
                foreach (var group in _parameter_groups)
                {
                    dictionary.Options.Add(group.Options);
                    var indices = new List<int>();
                    foreach (var parameter in group.Parameters)
                    {
                        indices.Add(dictionary.State.Count);
                        dictionary.State.Add(_state[parameter.Handle]);
                    }
                    dictionary.StateIndexRef.Add(indices);
                }
                return dictionary;
            }

            /// <summary>Takes over options and state; the groups must have the same numbers of parameters.</summary>
            public virtual void load_state_dict(torch.optim.Optimizer.StateDictionary state_dict)
            {
                var own = this.state_dict();
                if (own.Options.Count != state_dict.Options.Count || own.State.Count != state_dict.State.Count)
                    throw new ArgumentException("The optimizer state to load does not fit this optimizer's parameters.");
                for (var k = 0; k < own.Options.Count; k++)
                    if (own.Options[k] != state_dict.Options[k]) own.Options[k].LoadStateDict(state_dict.Options[k]);
                for (var k = 0; k < own.State.Count; k++)
                    if (own.State[k] != state_dict.State[k]) own.State[k].LoadStateDict(state_dict.State[k]);
            }

            public void to(torch.Device device)
            {
                foreach (var (_, state) in _state) state.to(device);
            }
        }
    }
}
