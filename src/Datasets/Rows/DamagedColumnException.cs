namespace FunctionsPipeline.Datasets;

/// <summary>
/// Thrown when a column of a row group cannot be read, because its bytes are damaged or in an unsupported encoding. The message names row
/// group, column, page and error.
/// </summary>
internal sealed class DamagedColumnException(string message, Exception? cause = null) : Exception(message, cause);
