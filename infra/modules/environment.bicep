@description('Region of the environment.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the environment.')
param name string

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('GPU profile of the training job.')
param trainingProfile string

@description('GPU profile of the serving app.')
param servingProfile string

@description('Subnet of the environment, which only the virtual network can then reach; null for a public one.')
param subnet string?

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = { name: workspaceName }

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    // Logs go through the diagnostic setting below: the destination log-analytics would need the workspace's key.
    appLogsConfiguration: { destination: 'azure-monitor' }
    publicNetworkAccess: subnet == null ? 'Enabled' : 'Disabled'
    vnetConfiguration: subnet == null ? null : { infrastructureSubnetId: subnet, internal: true }
    workloadProfiles: [
      { name: 'Consumption', workloadProfileType: 'Consumption' }
      { name: 'training', workloadProfileType: trainingProfile }
      { name: 'serving', workloadProfileType: servingProfile }
    ]
  }
}

#disable-next-line use-recent-api-versions // The stable version has no log categories by name.
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: environment
  name: 'logs'
  properties: {
    workspaceId: workspace.id
    logs: [
      { category: 'ContainerAppConsoleLogs', enabled: true }
      { category: 'ContainerAppSystemLogs', enabled: true }
    ]
  }
}

@description('Domain of the environment, in which each app has a name.')
output domain string = environment.properties.defaultDomain

@description('Address of the environment.')
output address string = environment.properties.staticIp
