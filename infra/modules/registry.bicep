@description('Region of the registry.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the registry.')
@minLength(5)
@maxLength(50)
param name string

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
  }
}

@description('Host name of the registry.')
output loginServer string = registry.properties.loginServer
