@description('Region of the vault.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the vault.')
@minLength(3)
@maxLength(24)
param name string

@description('Key that the serving worker asks for.')
@secure()
@minLength(32)
param workerKey string

@description('Key of Weights & Biases; empty for none.')
@secure()
param wandbApiKey string

@description('There is a key of Weights & Biases.')
param hasWandbKey bool

@description('Closes the vault to all but private endpoints and trusted services.')
param isPrivate bool

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    networkAcls: { defaultAction: isPrivate ? 'Deny' : 'Allow', bypass: 'AzureServices' }
  }
}

resource workerKeySecret 'Microsoft.KeyVault/vaults/secrets@2026-05-15' = {
  parent: vault
  name: 'worker-key'
  properties: { value: workerKey }
}

resource wandbKeySecret 'Microsoft.KeyVault/vaults/secrets@2026-05-15' = if (hasWandbKey) {
  parent: vault
  name: 'wandb-api-key'
  properties: { value: wandbApiKey }
}
