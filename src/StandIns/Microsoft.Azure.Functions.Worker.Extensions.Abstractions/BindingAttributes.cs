namespace Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

/// <summary>Base of all bindings.</summary>
public abstract class BindingAttribute : Attribute
{
}

/// <summary>Base of triggers.</summary>
public abstract class TriggerBindingAttribute : BindingAttribute
{
}

/// <summary>Base of input bindings.</summary>
public abstract class InputBindingAttribute : BindingAttribute
{
}

/// <summary>Base of output bindings.</summary>
public abstract class OutputBindingAttribute : BindingAttribute
{
}
