using System;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Patches copies of TorchSharp's libLibTorchSharp.so so that they load where libstdc++ is older than GCC 13's. The library needs one
/// symbol of GLIBCXX_3.4.32, <c>std::ios_base_library_init()</c>, an anchor that is never called and that older versions lack. The task
/// replaces this symbol by <c>std::get_terminate()</c> of GLIBCXX_3.4.20, a version that the library needs anyway.
/// </summary>
/// <remarks>
/// ELF: System V ABI, "Sections"; symbol versions: Linux Standard Base 5.0, 10.7. Runs inside MSBuild, which compiles it against
/// netstandard 2.0 (see LibTorch.targets).
/// </remarks>
public sealed class LowerLibstdcxxRequirement : Task
{
    private const string MissingVersion = "GLIBCXX_3.4.32";
    private const string PresentVersion = "GLIBCXX_3.4.20";
    private const string MissingSymbol = "_ZSt21ios_base_library_initv";
    private const string PresentSymbol = "_ZSt13get_terminatev";
    private const int VersionNeeds = 0x6ffffffe;

    // Latin-1 maps each byte to one character, so that string search finds byte offsets.
    private static readonly Encoding Bytes = Encoding.GetEncoding("iso-8859-1");

    /// <summary>Copies of libLibTorchSharp.so to patch, in output folders, never those in the package cache.</summary>
    [Required]
    public ITaskItem[] Files { get; set; }

    public override bool Execute()
    {
        if (SystemHasVersion()) return true;
        foreach (var file in Files) Lower(file.GetMetadata("FullPath"));
        return !Log.HasLoggedErrors;
    }

    // The .NET runtime that executes this task has loaded the system's libstdc++ as well.
    private static bool SystemHasVersion()
    {
        var mapping = File.ReadLines("/proc/self/maps").FirstOrDefault(line => line.Contains("/libstdc++.so.6"));
        return mapping == null || IndexOf(File.ReadAllBytes(mapping.Substring(mapping.IndexOf('/'))), MissingVersion) >= 0;
    }

    private void Lower(string path)
    {
        var elf = File.ReadAllBytes(path);
        if (IndexOf(elf, MissingVersion) < 0) return;
        if (!TryLower(elf))
        {
            Log.LogError(
                $"{path} needs the libstdc++ of GCC 13 ({MissingVersion}) and this system has an older one. The file is not that of " +
                "TorchSharp 0.107.0, whose requirement this build can lower. Build on Debian 13, Ubuntu 24.04, RHEL 10 or newer.");
            return;
        }
        // Written as a new file and renamed: the old one may be a hard link to the package cache. The write time stays the same, or the
        // next build would copy the original again.
        var time = File.GetLastWriteTimeUtc(path);
        File.WriteAllBytes(path + ".new", elf);
        File.SetLastWriteTimeUtc(path + ".new", time);
        File.Delete(path);
        File.Move(path + ".new", path);
        Log.LogMessage(MessageImportance.High, $"{path}: needs {PresentVersion} of libstdc++ now, not {MissingVersion}");
    }

    /// <returns>False when the file is not the expected one; the bytes may be partly changed then.</returns>
    private static bool TryLower(byte[] elf)
    {
        // Elf64_Ehdr: section headers' offset at 40, number at 60. Elf64_Shdr: 64 bytes, type at 4, offset at 24, link at 40.
        if (!elf.Take(6).SequenceEqual(new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1 })) return false;
        var headers = (int)BitConverter.ToInt64(elf, 40);
        var sections = Enumerable.Range(0, BitConverter.ToUInt16(elf, 60)).Select(i => headers + (64 * i)).ToArray();
        var needs = sections.FirstOrDefault(section => BitConverter.ToInt32(elf, section + 4) == VersionNeeds);
        if (needs == 0) return false;
        var names = (int)BitConverter.ToInt64(elf, sections[BitConverter.ToInt32(elf, needs + 40)] + 24);
        var missing = IndexOf(elf, MissingVersion, names);
        var present = IndexOf(elf, PresentVersion, names);
        var symbol = IndexOf(elf, MissingSymbol, names);
        if (missing < 0 || present < 0 || symbol < 0) return false;

        var (lowered, next) = (0, 0);
        var need = (int)BitConverter.ToInt64(elf, needs + 24);
        do
        {
            // Elf64_Verneed, one for each library: number of versions at 2, offset of the first at 8, of the next library at 12 (0: none).
            var version = need + BitConverter.ToInt32(elf, need + 8);
            for (var left = BitConverter.ToUInt16(elf, need + 2); left > 0; left--, version += BitConverter.ToInt32(elf, version + 12))
            {
                // Elf64_Vernaux: hash at 0, name at 8, offset of the next at 12.
                if (BitConverter.ToInt32(elf, version + 8) != missing - names) continue;
                BitConverter.GetBytes(Hash(PresentVersion)).CopyTo(elf, version);
                BitConverter.GetBytes(present - names).CopyTo(elf, version + 8);
                lowered++;
            }
            next = BitConverter.ToInt32(elf, need + 12);
            need += next;
        }
        while (next != 0);
        // No entry refers to the version's name any more; with the name gone, the next build finds nothing to patch.
        Array.Clear(elf, missing, MissingVersion.Length);
        Bytes.GetBytes(PresentSymbol.PadRight(MissingSymbol.Length, '\0')).CopyTo(elf, symbol);
        return lowered == 1;
    }

    private static int IndexOf(byte[] elf, string name, int start = 0)
    {
        var at = Bytes.GetString(elf).IndexOf($"\0{name}\0", start, StringComparison.Ordinal);
        return at < 0 ? -1 : at + 1;
    }

    /// <summary>Hashes a symbol version's name by ELF's classic symbol table hash.</summary>
    private static uint Hash(string name)
    {
        uint hash = 0;
        foreach (var c in name)
        {
            hash = (hash << 4) + c;
            var high = hash & 0xf0000000;
            hash = (hash ^ (high >> 24)) & ~high;
        }
        return hash;
    }
}
