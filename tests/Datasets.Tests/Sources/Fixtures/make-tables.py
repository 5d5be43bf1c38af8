# Writes the fixtures that Python's csv and json modules and GNU tar make: python3 make-tables.py
import csv, json, os, shutil, struct, subprocess, tempfile, zlib


def png(path, colour, width=64, height=48):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = b''.join(b'\0' + bytes(colour) * width for _ in range(height))
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
                   + chunk(b'IDAT', zlib.compress(rows, 9)) + chunk(b'IEND', b''))


CATEGORIES = ['coat', 'dress', 'shirt']
COLOURS = ['red', 'green', 'blue', 'grey']
os.makedirs('images', exist_ok=True)
for i in range(12):
    png(f'images/{i}.png', (20 * i, 255 - 20 * i, 7 * i))

HEADER = ['image', 'title', 'category', 'brand', 'colour', 'price']


def row(i, point='.'):
    title = ['Größe L, Café €', 'A 5" wide belt', 'In two\nlines'][i % 3] + f' {i}'
    return [f'images/{i}.png', title, CATEGORIES[i % 3], f'Brand {i % 2}', COLOURS[i % 4], f'{i + 10}{point}50']


def table(name, rows, **how):
    encoding = how.pop('encoding', 'utf-8')
    with open(name, 'w', newline='', encoding=encoding) as file:
        csv.writer(file, **how).writerows(rows)


table('semicolon-1252.csv', [HEADER, *(row(i, point=',') for i in range(12))], delimiter=';', encoding='cp1252')
table('tab-utf16.tsv', [HEADER, *map(row, range(6))], delimiter='\t', encoding='utf-16')
table('comma-bom.csv', [HEADER, *map(row, range(6))], encoding='utf-8-sig')
table('no-header.csv', [[f'images/{i}.png', CATEGORIES[i % 3], f'Shirt number {i}'] for i in range(6)])
# Rows 2 and 4 have too few and too many fields; lines are counted with those within quotes.
table('ragged.csv', [HEADER, row(2), row(0)[:4], row(1), row(3) + ['more'], row(5)])
table('metadata.csv', [['file_name', 'title', 'price'], ['coat/0.png', 'A coat', '10'], ['hat/1.png', 'A hat', '20'],
                       ['hat/gone.png', 'Not there', '30']])

# Rows of a product are far apart: 18 rows of three, with one that repeats row 1, one without a product, and one without its image.
def repeated(i):
    return [f'images/{i % 7}.png', f'{CATEGORIES[i % 3]} {i // 3}', CATEGORIES[i % 3], f'P{i % 3}']


table('products.csv', [['image', 'title', 'category', 'sku'], ['images/gone.png', 'gone', 'coat', 'P0'],
                       *map(repeated, range(18)), repeated(0), ['images/11.png', 'alone', 'coat', '']])
table('products-test.csv', [['image', 'title', 'category', 'sku'], *map(repeated, (7, 9, 10))])

# Lists of images as people and tools write them.
def views(i, separator):
    return separator.join([f'images/{i}.png', f'images/{i + 6}.png'])


for name, written in {'bar': lambda i: views(i, '|'), 'semicolon': lambda i: views(i, ' ; '), 'space': lambda i: views(i, ' '),
                      'newline': lambda i: views(i, '\n'), 'json': lambda i: json.dumps(views(i, ' ').split(' ')),
                      'python': lambda i: str(views(i, ' ').split(' '))}.items():
    table(f'lists-{name}.csv', [['photos', 'title'], *([written(i), f'Garment {i}'] for i in range(5)), ['images/10.png', 'One']])
with open('lists.jsonl', 'w') as file:
    for i in range(5):
        file.write(json.dumps({'photos': views(i, ' ').split(' '), 'title': f'Garment {i}'}) + '\n')
    file.write(json.dumps({'photos': ['images/10.png'], 'title': 'One'}) + '\n')
# As editors on Windows save it.
for encoding in 'utf-16', 'utf-8-sig':
    with open(f'array-{encoding}.json', 'w', encoding=encoding) as file:
        json.dump([{'image': f'images/{i}.png', 'name': f'Größe {i} €'} for i in range(3)], file, ensure_ascii=False, indent=1)
with open('coco-utf-16.json', 'w', encoding='utf-16') as file:
    json.dump({'images': [{'id': 1, 'file_name': 'images/0.png'}], 'categories': [{'id': 1, 'name': 'Mäntel'}],
               'annotations': [{'id': 1, 'image_id': 1, 'category_id': 1}]}, file, ensure_ascii=False)

with open('azureml.jsonl', 'w') as file:
    for i in range(4):
        path = f'azureml://subscriptions/0/resourcegroups/g/workspaces/w/datastores/blobs/paths/PREFIX/images/{i}.png'
        file.write(json.dumps({'image_url': path, 'label': CATEGORIES[i % 3]}) + '\n')
with open('coco.json', 'w') as file:
    json.dump({
        'info': {'description': 'Four images'},
        'annotations': [
            {'id': 1, 'image_id': 10, 'category_id': 1, 'area': 5.0, 'bbox': [0, 0, 5, 1]},
            {'id': 2, 'image_id': 10, 'category_id': 2, 'area': 500.5, 'bbox': [0, 0, 50, 10]},
            {'id': 3, 'image_id': 11, 'category_id': 1, 'area': 7, 'bbox': [0, 0, 7, 1]}],
        'categories': [{'id': 1, 'name': 'coat'}, {'id': 2, 'name': 'dress', 'supercategory': 'clothes'}],
        'images': [{'id': 10 + i, 'file_name': f'{i}.png', 'width': 64, 'height': 48} for i in range(3)],
    }, file)
with open('array.json', 'w') as file:
    json.dump([{'image': f'images/{i}.png', 'name': f'Shirt {i}', 'tags': ['new', 'blue'], 'price': 1.5 * i, 'more': {'a': 1}}
               for i in range(3)] + [{'image': 'images/3.png', 'name': 'Late', 'season': 'summer'}], file, indent=1)

with tempfile.TemporaryDirectory() as folder:
    for i in range(6):
        shutil.copy(f'images/{i}.png', f'{folder}/item{i}.png')
        with open(f'{folder}/item{i}.json', 'w') as file:
            json.dump({'title': f'Item {i}', 'price': i + 0.5}, file)
        with open(f'{folder}/item{i}.cls', 'w') as file:
            file.write(f'{CATEGORIES[i % 3]}\n')
    with open(f'{folder}/item5.json', 'w') as file:
        file.write('{"title": ')
    subprocess.run(['tar', '--sort=name', '--owner=0', '--group=0', '--mtime=@0', '-cf', os.path.abspath('gnu.tar'), '-C', folder, '.'],
                   check=True)
