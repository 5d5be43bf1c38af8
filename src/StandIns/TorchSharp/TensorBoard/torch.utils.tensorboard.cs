using System.Globalization;
using System.Net;
using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class utils
    {
        public static partial class tensorboard
        {
            /// <summary>A writer of an event file in a folder, which is made if needed.</summary>
            /// <param name="log_dir"><c>runs/{date}_{host}</c> when left out.</param>
            /// <param name="filename_suffix">Comes after another dot.</param>
            /// <param name="createRunName">Puts a sub-folder <c>{date}_{host}</c> in between.</param>
            public static SummaryWriter SummaryWriter(string? log_dir = null, string? filename_suffix = null, bool createRunName = false)
            {
                var folder = string.IsNullOrEmpty(log_dir) ? RunName("runs") : createRunName ? RunName(log_dir) : log_dir;
                return new SummaryWriter(folder, filename_suffix);
            }

            private static string RunName(string parent) => Path.Combine(
                parent, $"{DateTime.Now.ToString("MMMd_H-m-s", CultureInfo.InvariantCulture)}_{Dns.GetHostName()}");
        }
    }
}
