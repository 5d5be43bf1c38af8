@description('Tags of every resource.')
param tags { *: string }

@description('Domain of the Container Apps environment.')
param domain string

@description('Address of the environment within the virtual network.')
param address string

@description('Name of the virtual network.')
param networkName string

resource network 'Microsoft.Network/virtualNetworks@2026-03-01' existing = { name: networkName }

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: domain
  location: 'global'
  tags: tags

  resource apps 'A' = {
    name: '*'
    properties: { ttl: 3600, aRecords: [{ ipv4Address: address }] }
  }

  resource link 'virtualNetworkLinks' = {
    name: networkName
    location: 'global'
    tags: tags
    properties: { registrationEnabled: false, virtualNetwork: { id: network.id } }
  }
}
