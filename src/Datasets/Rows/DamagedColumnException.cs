namespace FunctionsPipeline.Datasets;

/// <summary>
/// A column of a row group cannot be read, because its bytes are damaged or written in a way that the reader does not know. The message
/// names row group, column, page and what is wrong.
/// </summary>
internal sealed class DamagedColumnException(string message, Exception? cause = null) : Exception(message, cause);
