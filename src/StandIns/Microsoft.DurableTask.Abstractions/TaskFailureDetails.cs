using System.Reflection;

namespace Microsoft.DurableTask;

/// <summary>An exception as data, so that it can be part of an orchestration's history.</summary>
public record TaskFailureDetails(string ErrorType, string ErrorMessage, string? StackTrace, TaskFailureDetails? InnerFailure,
    IDictionary<string, object?>? Properties)
{
    public static TaskFailureDetails FromException(Exception exception) => new(exception.GetType().ToString(), exception.Message,
        exception.StackTrace, exception.InnerException is { } inner ? FromException(inner) : null, null);

    public override string ToString() => $"{ErrorType}: {ErrorMessage}";

    public bool IsCausedBy<T>() where T : Exception => IsCausedBy(typeof(T));

    public bool IsCausedBy(Type targetBaseExceptionType)
    {
        if (!typeof(Exception).IsAssignableFrom(targetBaseExceptionType))
            throw new ArgumentException($"The type {targetBaseExceptionType} is not an exception type.", nameof(targetBaseExceptionType));
        if (string.IsNullOrEmpty(ErrorType)) return false;
        var type = Type.GetType(ErrorType) ?? targetBaseExceptionType.Assembly.GetType(ErrorType);
        if (type is null)
        {
            var candidates = AppDomain.CurrentDomain.GetAssemblies().Select(a => a.GetType(ErrorType)).OfType<Type>().ToList();
            if (candidates.Count > 1) throw new AmbiguousMatchException($"Multiple exception types with the name '{ErrorType}' were found.");
            type = candidates.SingleOrDefault();
        }
        return type is not null && targetBaseExceptionType.IsAssignableFrom(type);
    }
}
