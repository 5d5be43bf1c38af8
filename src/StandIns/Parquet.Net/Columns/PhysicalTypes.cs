using Parquet.Meta;

namespace Parquet.Columns;

/// <summary>How the types of .NET are stored.</summary>
internal static class PhysicalTypes
{
    private static readonly Dictionary<System.Type, (Meta.Type Physical, ConvertedType? Annotation)> Known = new()
    {
        [typeof(bool)] = (Meta.Type.BOOLEAN, null),
        [typeof(sbyte)] = (Meta.Type.INT32, ConvertedType.INT_8),
        [typeof(byte)] = (Meta.Type.INT32, ConvertedType.UINT_8),
        [typeof(short)] = (Meta.Type.INT32, ConvertedType.INT_16),
        [typeof(ushort)] = (Meta.Type.INT32, ConvertedType.UINT_16),
        [typeof(int)] = (Meta.Type.INT32, null),
        [typeof(uint)] = (Meta.Type.INT32, ConvertedType.UINT_32),
        [typeof(long)] = (Meta.Type.INT64, null),
        [typeof(ulong)] = (Meta.Type.INT64, ConvertedType.UINT_64),
        [typeof(float)] = (Meta.Type.FLOAT, null),
        [typeof(double)] = (Meta.Type.DOUBLE, null),
        [typeof(ReadOnlyMemory<char>)] = (Meta.Type.BYTE_ARRAY, ConvertedType.UTF8),
        [typeof(ReadOnlyMemory<byte>)] = (Meta.Type.BYTE_ARRAY, null),
    };

    public static bool IsKnown(System.Type type) => Known.ContainsKey(type);

    public static Meta.Type Of(System.Type type) => Known[type].Physical;

    public static ConvertedType? Annotation(System.Type type) => Known[type].Annotation;
}
