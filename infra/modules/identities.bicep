@description('Region of the identities.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Names of the identities.')
param names string[]

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = [for name in names: {
  name: name
  location: location
  tags: tags
}]
