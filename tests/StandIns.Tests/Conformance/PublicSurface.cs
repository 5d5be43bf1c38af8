using System.Reflection;
using System.Runtime.CompilerServices;

namespace FunctionsPipeline.Tests.StandIns.Conformance;

/// <summary>What callers and derived classes can see of an assembly.</summary>
internal static class PublicSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    /// <summary>Each member as <see cref="ApiSpelling"/> has it; properties end in their accessors.</summary>
    public static IEnumerable<string> Of(Assembly assembly) => assembly.GetTypes()
        .Where(type => IsVisible(type) && type.GetCustomAttribute<CompilerGeneratedAttribute>() is null)
        .SelectMany(Of);

    private static IEnumerable<string> Of(Type type)
    {
        yield return ApiSpelling.OfDeclaration(type);
        foreach (var constructor in type.GetConstructors(Declared).Where(constructor => !constructor.IsStatic && IsVisible(constructor)))
            yield return ApiSpelling.Of(constructor);
        foreach (var method in type.GetMethods(Declared).Where(method => IsVisible(method) && IsNew(method) && IsCallable(method)))
            yield return ApiSpelling.Of(method);
        foreach (var field in type.GetFields(Declared).Where(IsVisible))
            yield return ApiSpelling.Of(field);
        foreach (var member in type.GetEvents(Declared).Where(member => IsVisible(member.AddMethod!) && IsNew(member.AddMethod!)))
            yield return ApiSpelling.Of(member);
        foreach (var property in type.GetProperties(Declared)
            .Where(property => property.GetAccessors(nonPublic: true).Any(accessor => IsVisible(accessor) && IsNew(accessor))))
            yield return $"{ApiSpelling.Of(property)} {{ {(Sees(property.GetMethod) ? "get; " : "")}{(Sees(property.SetMethod) ? "set; " : "")}}}";
    }

    private static bool Sees(MethodInfo? accessor) => accessor is not null && IsVisible(accessor);

    // An override adds nothing to what callers see of the base class.
    private static bool IsNew(MethodInfo method) => method.GetBaseDefinition() == method;

    // Accessors are seen with their properties, and C# cannot name a record's <Clone>$.
    private static bool IsCallable(MethodInfo method) =>
        (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal)) && !method.Name.StartsWith('<');

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static bool IsVisible(FieldInfo field) => field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly;

    private static bool IsVisible(Type type) => type.IsNested
        ? (type.IsNestedPublic || type.IsNestedFamily || type.IsNestedFamORAssem) && IsVisible(type.DeclaringType!)
        : type.IsPublic;
}
