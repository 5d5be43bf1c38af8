@description('Region of the account.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Names of the blob containers.')
param containers string[]

@description('Days for which overwritten and deleted blobs and deleted containers can be restored; null for none.')
@minValue(1)
@maxValue(365)
param restoreDays int?

@description('Rules of the lifecycle policy; none for no policy.')
param lifecycle resourceInput<'Microsoft.Storage/storageAccounts/managementPolicies@2026-09-01'>.properties.policy.rules = []

@description('Closes the account to all but private endpoints and trusted services.')
param isPrivate bool

var retention = restoreDays == null ? { enabled: false } : { enabled: true, days: restoreDays! }

resource account 'Microsoft.Storage/storageAccounts@2026-09-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Event Grid writes its dead letters as a trusted service, also where the account is private.
    networkAcls: { defaultAction: isPrivate ? 'Deny' : 'Allow', bypass: 'AzureServices' }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2026-09-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: restoreDays != null
    deleteRetentionPolicy: retention
    containerDeleteRetentionPolicy: retention
  }
}

resource blobContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-09-01' = [for container in containers: {
  parent: blobs
  name: container
  properties: { publicAccess: 'None' }
}]

resource policy 'Microsoft.Storage/storageAccounts/managementPolicies@2026-09-01' = if (!empty(lifecycle)) {
  parent: account
  name: 'default'
  properties: { policy: { rules: lifecycle } }
  dependsOn: [blobs]
}
