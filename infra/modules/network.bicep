@description('Region of the network.')
param location string

@description('Tags of every resource.')
param tags { *: string }

@description('Name of the virtual network.')
param name string

@description('Name of the storage account of the Functions host.')
param stateAccountName string

@description('Name of the storage account of the pipeline.')
param dataAccountName string

@description('Name of the vault.')
param vaultName string

var storageSuffix = environment().suffixes.storage
var services = ['blob', 'queue', 'table']
var storage = 'Microsoft.Storage/storageAccounts'
var zoneNames = [...map(services, service => 'privatelink.${service}.${storageSuffix}'), 'privatelink.vaultcore.azure.net']

// The zone of an endpoint is the one at the same place in zoneNames.
var endpoints = [
  { name: 'state-blob', type: storage, resource: stateAccountName, group: 'blob', zone: 0 }
  { name: 'state-queue', type: storage, resource: stateAccountName, group: 'queue', zone: 1 }
  { name: 'state-table', type: storage, resource: stateAccountName, group: 'table', zone: 2 }
  { name: 'data-blob', type: storage, resource: dataAccountName, group: 'blob', zone: 0 }
  { name: 'data-queue', type: storage, resource: dataAccountName, group: 'queue', zone: 1 }
  { name: 'vault', type: 'Microsoft.KeyVault/vaults', resource: vaultName, group: 'vault', zone: 3 }
]

resource network 'Microsoft.Network/virtualNetworks@2026-03-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.40.0.0/16'] }
  }

  resource functions 'subnets' = {
    name: 'functions'
    properties: {
      addressPrefix: '10.40.0.0/26'
      delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
    }
  }

  resource containers 'subnets' = {
    name: 'containers'
    properties: {
      addressPrefix: '10.40.2.0/23'
      delegations: [{ name: 'environment', properties: { serviceName: 'Microsoft.App/environments' } }]
    }
    // Two subnets at once are refused: the network is busy with the first.
    dependsOn: [functions]
  }

  resource privateEndpoints 'subnets' = {
    name: 'endpoints'
    properties: { addressPrefix: '10.40.0.64/26' }
    dependsOn: [containers]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for zone in zoneNames: {
  name: zone
  location: 'global'
  tags: tags
}]

resource zoneLinks 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (zone, i) in zoneNames: {
  parent: zones[i]
  name: name
  location: 'global'
  tags: tags
  properties: { registrationEnabled: false, virtualNetwork: { id: network.id } }
}]

resource privateEndpoints 'Microsoft.Network/privateEndpoints@2026-03-01' = [for endpoint in endpoints: {
  name: 'pep-${endpoint.name}'
  location: location
  tags: tags
  properties: {
    subnet: { id: network::privateEndpoints.id }
    privateLinkServiceConnections: [
      {
        name: endpoint.name
        properties: { privateLinkServiceId: resourceId(endpoint.type, endpoint.resource), groupIds: [endpoint.group] }
      }
    ]
  }
}]

resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2026-03-01' = [for (endpoint, i) in endpoints: {
  parent: privateEndpoints[i]
  name: 'default'
  properties: { privateDnsZoneConfigs: [{ name: endpoint.group, properties: { privateDnsZoneId: zones[endpoint.zone].id } }] }
}]
