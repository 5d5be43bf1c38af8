@description('Type of the resource.')
param kind 'app' | 'job'

@description('Name of the resource.')
param name string

@description('The resource is there already.')
param exists bool

resource app 'Microsoft.App/containerApps@2026-07-01' existing = if (exists && kind == 'app') { name: name }
resource job 'Microsoft.App/jobs@2026-07-01' existing = if (exists && kind == 'job') { name: name }

// Until the first deployment there is no image in the registry. This one listens on 8080, as the worker does.
var placeholder = 'mcr.microsoft.com/dotnet/samples:aspnetapp'

@description('Image that the resource runs, or a placeholder.')
output image string = !exists
  ? placeholder
  : kind == 'app' ? app!.properties.template.containers[0].image : job!.properties.template.containers[0].image
