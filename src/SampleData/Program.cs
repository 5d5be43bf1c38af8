using System.CommandLine;
using FunctionsPipeline.SampleData;

var root = new RootCommand(
    "A synthetic product catalog, and a hub that serves it, or a folder of images, the way the Hugging Face Hub does.")
{
    HubCommand.Create(),
    TextsCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
