using System.Reflection;

namespace FunctionsPipeline.Tests.StandIns.Conformance;

/// <summary>Spells members the way the lists of the packages' public surface do, for example
/// <c>M:Ns.Type`1&lt;`0&gt;.Name``1(System.Int32 count?, out ``0 value) -> static System.Void</c>.</summary>
internal static class ApiSpelling
{
    public static string Of(Type type)
    {
        if (type.IsGenericParameter)
            return (type.DeclaringMethod is null ? "`" : "``") + type.GenericParameterPosition;
        if (type.IsByRef) return Of(type.GetElementType()!);
        if (type.IsPointer) return Of(type.GetElementType()!) + "*";
        if (type.IsArray) return $"{Of(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        var name = type.IsNested ? $"{Outer(type)}.{type.Name}" : $"{type.Namespace}.{type.Name}";
        return type.IsGenericType ? $"{name}<{string.Join(", ", type.GetGenericArguments().Select(Of))}>" : name;
    }

    public static string OfDeclaration(Type type)
    {
        var kind = type switch
        {
            { IsEnum: true } => "enum",
            { IsValueType: true } => "struct",
            { IsInterface: true } => "interface",
            _ when typeof(Delegate).IsAssignableFrom(type) => "delegate",
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsAbstract: true } => "abstract class",
            { IsSealed: true } => "sealed class",
            _ => "class",
        };
        return $"T:{Of(type)} {kind} : {(type.BaseType is { } parent ? Of(parent) : "")}";
    }

    public static string Of(ConstructorInfo constructor) =>
        $"M:{Of(constructor.DeclaringType!)}.#ctor({Parameters(constructor)})";

    public static string Of(MethodInfo method)
    {
        var arity = method.IsGenericMethodDefinition ? $"``{method.GetGenericArguments().Length}" : "";
        return $"M:{Of(method.DeclaringType!)}.{method.Name}{arity}({Parameters(method)}) -> {Modifier(method)}{Of(method.ReturnType)}";
    }

    public static string Of(FieldInfo field)
    {
        var modifier = field.IsLiteral ? "const " : field.IsStatic ? "static " : "";
        return $"F:{Of(field.DeclaringType!)}.{field.Name} -> {modifier}{Of(field.FieldType)}";
    }

    public static string Of(EventInfo member) => $"E:{Of(member.DeclaringType!)}.{member.Name} -> {Of(member.EventHandlerType!)}";

    /// <summary>Without the accessors.</summary>
    public static string Of(PropertyInfo property)
    {
        var indexes = property.GetIndexParameters();
        var index = indexes.Length == 0 ? "" : $"[{string.Join(", ", indexes.Select(parameter => Of(parameter.ParameterType)))}]";
        var accessor = (property.GetMethod ?? property.SetMethod)!;
        return $"P:{Of(property.DeclaringType!)}.{property.Name}{index} -> {Modifier(accessor)}{Of(property.PropertyType)}";
    }

    // The type arguments stand once, at the end.
    private static string Outer(Type nested)
    {
        var outer = nested.DeclaringType!;
        return outer.IsNested ? $"{Outer(outer)}.{outer.Name}" : $"{outer.Namespace}.{outer.Name}";
    }

    private static string Modifier(MethodBase method) =>
        method.IsStatic ? "static " : method.IsAbstract ? "abstract " : method is { IsVirtual: true, IsFinal: false } ? "virtual " : "";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter =>
        $"{(parameter.IsOut ? "out " : parameter.ParameterType.IsByRef ? "ref " : "")}{Of(parameter.ParameterType)} {parameter.Name}"
        + (parameter.IsOptional ? "?" : "")));
}
