@description('Name of the identity of the Functions app.')
param appIdentity string

@description('Name of the identity of the training job.')
param trainIdentity string

@description('Name of the identity of the serving app.')
param serveIdentity string

@description('Name of the storage account of the Functions host.')
param stateAccountName string

@description('Name of the storage account of the pipeline.')
param dataAccountName string

@description('Name of the vault.')
param vaultName string

@description('The vault has a key of Weights & Biases.')
param hasWandbKey bool

@description('Name of the registry.')
param registryName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Object id of a person who works with the data; empty for none.')
param developerPrincipalId string

var roles = {
  acrPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d'
  blobContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  blobOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  blobReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  metricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  queueContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  tableContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
}

var ofStateAccount = [roles.blobOwner, roles.queueContributor, roles.tableContributor]

var ofContainers = [
  { container: 'datasets', identity: appIdentity, role: roles.blobContributor }
  { container: 'runs', identity: appIdentity, role: roles.blobContributor }
  { container: 'models', identity: appIdentity, role: roles.blobContributor }
  // The blob trigger asks for the owner's role.
  { container: 'product-images', identity: appIdentity, role: roles.blobOwner }
  { container: 'predictions', identity: appIdentity, role: roles.blobContributor }
  { container: 'corrections', identity: appIdentity, role: roles.blobContributor }
  { container: 'datasets', identity: trainIdentity, role: roles.blobReader }
  { container: 'runs', identity: trainIdentity, role: roles.blobContributor }
  { container: 'models', identity: trainIdentity, role: roles.blobContributor }
  { container: 'models', identity: serveIdentity, role: roles.blobReader }
  { container: 'product-images', identity: serveIdentity, role: roles.blobReader }
]

resource serve 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = { name: serveIdentity }
resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = { name: appIdentity }
resource train 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = { name: trainIdentity }
resource gpu 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [for name in [trainIdentity, serveIdentity]: {
  name: name
}]
resource all 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for name in [appIdentity, trainIdentity, serveIdentity]: { name: name }
]
resource ofContainer 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [for grant in ofContainers: {
  name: grant.identity
}]

resource stateAccount 'Microsoft.Storage/storageAccounts@2026-09-01' existing = { name: stateAccountName }
resource dataAccount 'Microsoft.Storage/storageAccounts@2026-09-01' existing = {
  name: dataAccountName
  resource blobs 'blobServices' existing = { name: 'default' }
}
resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-09-01' existing = [for grant in ofContainers: {
  parent: dataAccount::blobs
  name: grant.container
}]
resource vault 'Microsoft.KeyVault/vaults@2026-05-15' existing = {
  name: vaultName
  resource workerKey 'secrets' existing = { name: 'worker-key' }
  resource wandbKey 'secrets' existing = { name: 'wandb-api-key' }
}
resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' existing = { name: registryName }
resource insights 'Microsoft.Insights/components@2020-02-02' existing = { name: insightsName }

resource stateRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in ofStateAccount: {
  scope: stateAccount
  name: guid(stateAccount.id, app.id, role)
  properties: {
    principalId: app.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

// The blob trigger makes queues of its own, in the account of the blobs.
resource queueRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: dataAccount
  name: guid(dataAccount.id, app.id, roles.queueContributor)
  properties: {
    principalId: app.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueContributor)
  }
}

resource containerRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (grant, i) in ofContainers: {
  scope: containers[i]
  name: guid(containers[i].id, ofContainer[i].id, grant.role)
  properties: {
    principalId: ofContainer[i].properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
  }
}]

// Settings of the app may refer to further secrets, such as a token for the Hub.
resource appSecretsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, app.id, roles.secretsUser)
  properties: {
    principalId: app.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.secretsUser)
  }
}

resource serveSecretRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault::workerKey
  name: guid(vault::workerKey.id, serve.id, roles.secretsUser)
  properties: {
    principalId: serve.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.secretsUser)
  }
}

resource trainSecretRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasWandbKey) {
  scope: vault::wandbKey
  name: guid(vault::wandbKey.id, train.id, roles.secretsUser)
  properties: {
    principalId: train.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.secretsUser)
  }
}

resource registryRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (name, i) in [trainIdentity, serveIdentity]: {
  scope: registry
  name: guid(registry.id, gpu[i].id, roles.acrPull)
  properties: {
    principalId: gpu[i].properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPull)
  }
}]

resource telemetryRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in [appIdentity, trainIdentity, serveIdentity]: {
    scope: insights
    name: guid(insights.id, all[i].id, roles.metricsPublisher)
    properties: {
      principalId: all[i].properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.metricsPublisher)
    }
  }
]

resource developerRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in empty(developerPrincipalId) ? [] : [roles.blobContributor, roles.queueContributor]: {
    scope: dataAccount
    name: guid(dataAccount.id, developerPrincipalId, role)
    properties: {
      principalId: developerPrincipalId
      principalType: 'User'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]
